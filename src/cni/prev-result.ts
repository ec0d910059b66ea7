/** What other plugins of the chain made, and DNS settings: kept as they came, checked as far as we build on them. */
import { type Fields, fieldsOf, listOf, textsOf, wrongField } from "./config-values.ts";

export interface PrevResult {
  readonly interfaces: readonly Fields[];
  readonly ips: readonly Fields[];
  readonly routes: readonly Fields[];
  readonly dns: Fields;
}

/** Passed through from the configuration: a pod's resolv.conf is the runtime's work. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export function readPrevResult(value: unknown): PrevResult | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = fieldsOf("prevResult", value);
  const objects = (name: string) =>
    listOf(`prevResult.${name}`, fields[name]).map((one, i) => fieldsOf(`prevResult.${name}[${i}]`, one));
  return {
    interfaces: objects("interfaces"),
    ips: objects("ips"),
    routes: objects("routes"),
    dns: fieldsOf("prevResult.dns", fields["dns"]),
  };
}

/** The capability `dns` (runtimeConfig.dns) goes before the key `dns`. */
export function readDns(config: Fields): Dns {
  const { nameservers, domain, search, options } = fieldsOf("dns", config["dns"]);
  if (domain !== undefined && typeof domain !== "string") throw wrongField("dns.domain is not a text");
  const runtime = fieldsOf("runtimeConfig.dns", fieldsOf("runtimeConfig", config["runtimeConfig"])["dns"]);
  const lists = [
    ["nameservers", "dns.nameservers", nameservers, "runtimeConfig.dns.servers", runtime["servers"]],
    ["search", "dns.search", search, "runtimeConfig.dns.searches", runtime["searches"]],
    ["options", "dns.options", options, "runtimeConfig.dns.options", runtime["options"]],
  ] as const;
  const dns: Record<string, unknown> = domain === undefined ? {} : { domain };
  for (const [name, field, value, runtimeField, runtimeValue] of lists) {
    const [configured, wanted] = [textsOf(field, value), textsOf(runtimeField, runtimeValue)];
    const list = wanted.length > 0 ? wanted : configured;
    if (list.length > 0) dns[name] = list;
  }
  return dns;
}
