/** Services: defaults, cluster addresses from the ranges, node ports, and what may not change. */
import { isIPv6 } from "node:net";
import { SERVICES } from "./built-in.ts";
import { isMap, type Json, type JsonMap, type KubeObject, listAt, mapAt, textAt } from "./json.ts";
import { type Cause, forbiddenField, invalidField, requiredField } from "./refusal.ts";
import { collectionOf } from "./resource.ts";
import type { Store } from "./store.ts";

const NODE_PORTS = { first: 30_000, last: 32_767 };

/** Hands out cluster addresses and node ports that no Service holds. */
export class ServiceRanges {
  readonly #ranges: readonly { readonly family: string; readonly first: bigint; readonly size: bigint }[];
  readonly #taken = new Set<string>();
  #nextPort = NODE_PORTS.first;
  readonly #nextAddress = new Map<string, bigint>();

  /** CIDRs; the first one's family is that of Services that ask for none. */
  constructor(store: Store, cidrs: readonly string[]) {
    this.#ranges = cidrs.map((cidr) => {
      const [address = "", length = ""] = cidr.split("/");
      const bits = (isIPv6(address) ? 128 : 32) - Number(length);
      return { family: familyOf(address), first: numberOf(address), size: 2n ** BigInt(bits) };
    });
    for (const service of store.all(collectionOf(SERVICES))) this.#take(service, true);
    store.follow(collectionOf(SERVICES), ({ before, after }) => {
      if (before !== undefined) this.#take(before, false);
      if (after !== undefined) this.#take(after, true);
    });
  }

  get families(): string[] {
    return this.#ranges.map(({ family }) => family);
  }

  address(family: string): string | undefined {
    const range = this.#ranges.find((one) => one.family === family);
    if (range === undefined) return undefined;
    const size = range.size > 65_536n ? 65_536n : range.size;
    for (let tried = 0n; tried < size; tried++) {
      const next = this.#nextAddress.get(family) ?? 1n;
      this.#nextAddress.set(family, next + 1n < size - 1n ? next + 1n : 1n);
      const address = textOfAddress(range.first + next, family);
      if (!this.#taken.has(address)) return address;
    }
    return undefined;
  }

  port(): number {
    for (;;) {
      const port = this.#nextPort;
      this.#nextPort = port < NODE_PORTS.last ? port + 1 : NODE_PORTS.first;
      if (!this.#taken.has(String(port))) return port;
    }
  }

  #take(service: KubeObject, taken: boolean): void {
    const ports = listAt(service, "spec", "ports").map((port) => textAt(port, "nodePort"));
    for (const held of [...listAt(service, "spec", "clusterIPs").map(String), ...ports]) {
      if (taken) this.#taken.add(held);
      else this.#taken.delete(held);
    }
  }
}

const familyOf = (address: string): string => (isIPv6(address) ? "IPv6" : "IPv4");

function numberOf(address: string): bigint {
  if (!isIPv6(address)) return address.split(".").reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros: string[] = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function textOfAddress(number: bigint, family: string): string {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 255n)).join(".");
  const hex = number.toString(16).padStart(32, "0").match(/.{4}/g) ?? [];
  // The URL parser writes addresses in the short form of RFC 5952.
  return new URL(`http://[${hex.join(":")}]`).hostname.slice(1, -1);
}

export function serviceDefaults(draft: KubeObject, old: KubeObject | undefined, ranges: ServiceRanges): KubeObject {
  const spec: JsonMap = { sessionAffinity: "None", type: "ClusterIP", ...mapAt(draft, "spec") };
  const type = textAt(spec, "type");
  if (type === "ExternalName") return { ...draft, spec, status: draft["status"] ?? { loadBalancer: {} } };
  const outside = type === "NodePort" || type === "LoadBalancer";
  spec["internalTrafficPolicy"] ??= "Cluster";
  if (outside) spec["externalTrafficPolicy"] ??= "Cluster";
  if (type === "LoadBalancer") spec["allocateLoadBalancerNodePorts"] ??= true;
  const withNodePorts = type === "NodePort" || (outside && spec["allocateLoadBalancerNodePorts"] === true);
  const oldPorts = listAt(old, "spec", "ports").filter(isMap);
  if (Array.isArray(spec["ports"])) {
    spec["ports"] = spec["ports"].filter(isMap).map((port): JsonMap => {
      const full: JsonMap = { protocol: "TCP", targetPort: port["port"] ?? 0, ...port };
      const former = oldPorts.find((one) => one["port"] === full["port"] && one["protocol"] === full["protocol"]);
      if (withNodePorts) full["nodePort"] ??= former?.["nodePort"] ?? ranges.port();
      return full;
    });
  }
  if (type === "LoadBalancer" && spec["externalTrafficPolicy"] === "Local") {
    spec["healthCheckNodePort"] ??= mapAt(old, "spec")["healthCheckNodePort"] ?? ranges.port();
  }
  addresses(spec, mapAt(old, "spec"), ranges);
  return { ...draft, spec, status: draft["status"] ?? { loadBalancer: {} } };
}

function addresses(spec: JsonMap, old: JsonMap, ranges: ServiceRanges): void {
  for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
    const kept = old[field];
    if ((spec[field] === undefined || spec[field] === "") && kept !== undefined) spec[field] = kept;
  }
  spec["ipFamilyPolicy"] ??= "SingleStack";
  if (spec["clusterIPs"] === undefined && textAt(spec, "clusterIP") !== "")
    spec["clusterIPs"] = [spec["clusterIP"] as Json];
  const given = listAt(spec, "clusterIPs").map(String);
  const headless = given[0] === "None";
  const families = familiesOf(spec, headless ? [] : given, ranges);
  spec["ipFamilies"] = families;
  if (headless) {
    spec["clusterIP"] = "None";
    return;
  }
  const all = families
    .map((family, place) => given[place] ?? ranges.address(family))
    .filter((one) => one !== undefined);
  if (all.length > 0) Object.assign(spec, { clusterIP: all[0], clusterIPs: all });
}

function familiesOf(spec: JsonMap, given: readonly string[], ranges: ServiceRanges): string[] {
  const wished = listAt(spec, "ipFamilies").map(String);
  const found = wished.length > 0 ? wished : given.map(familyOf);
  const [first = ranges.families[0] ?? "IPv4"] = found;
  const other = first === "IPv4" ? "IPv6" : "IPv4";
  const policy = spec["ipFamilyPolicy"];
  const two = policy === "RequireDualStack" || (policy === "PreferDualStack" && ranges.families.includes(other));
  return two ? [first, other] : found.length > 0 ? found : [first];
}

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

export function serviceProblems(draft: KubeObject, old: KubeObject | undefined): Cause[] {
  const causes: Cause[] = [];
  const spec = mapAt(draft, "spec");
  const type = textAt(spec, "type");
  const oldType = textAt(old, "spec", "type");
  if (!TYPES.includes(type)) causes.push(invalidField("spec.type", type, `supported values: ${TYPES.join(", ")}`));
  const ports = listAt(spec, "ports");
  const headless = spec["clusterIP"] === "None";
  if (ports.length === 0 && type !== "ExternalName" && !headless) causes.push(requiredField("spec.ports"));
  ports.forEach((port, place) => {
    const number = Number(textAt(port, "port"));
    const field = `spec.ports[${place}]`;
    if (!(number >= 1 && number <= 65_535)) {
      causes.push(invalidField(`${field}.port`, number, "must be between 1 and 65535, inclusive"));
    }
    if (ports.length > 1 && textAt(port, "name") === "") causes.push(requiredField(`${field}.name`));
  });
  const [was, is] = [textAt(old, "spec", "clusterIP"), textAt(spec, "clusterIP")];
  if (was !== "" && was !== is && oldType !== "ExternalName" && type !== "ExternalName") {
    causes.push(invalidField("spec.clusterIPs[0]", is, "may not change once set"));
  }
  if (textAt(spec, "loadBalancerClass") !== "" && type !== "LoadBalancer") {
    causes.push(forbiddenField("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'"));
  }
  const [oldClass, newClass] = [textAt(old, "spec", "loadBalancerClass"), textAt(spec, "loadBalancerClass")];
  if (oldType === "LoadBalancer" && type === "LoadBalancer" && oldClass !== newClass) {
    causes.push(invalidField("spec.loadBalancerClass", newClass, "may not change once set"));
  }
  return causes;
}
