/**
 * Addresses and a MAC address that a runtime asks for by name: the capabilities `ips` and `mac`, args.cni, and the
 * older CNI_ARGS. The first place that says anything wins, as in the reference plugins.
 */
import type { Address } from "../../ipam/net/address.ts";
import { type Fields, fieldsOf, listOf, onePerFamily, readAddress, wrongField } from "./config-values.ts";
import { CniCode, CniFault } from "./fault.ts";

export interface AskedFor {
  readonly addresses: readonly Address[];
  readonly mac: string | undefined;
}

export function readAskedFor(config: Fields, args: ReadonlyMap<string, string>): AskedFor {
  const runtime = fieldsOf("runtimeConfig", config["runtimeConfig"]);
  const cniArgs = fieldsOf("args.cni", fieldsOf("args", config["args"])["cni"]);
  const places = [
    addressesIn("runtimeConfig.ips", listOf("runtimeConfig.ips", runtime["ips"])),
    addressesIn("args.cni.ips", listOf("args.cni.ips", cniArgs["ips"])),
    ofArguments(() => addressesIn("CNI_ARGS IP", (args.get("IP") ?? "").split(",").filter(Boolean), false)),
  ];
  const macs = [
    readMac("runtimeConfig.mac", runtime["mac"]),
    readMac("args.cni.mac", cniArgs["mac"]),
    ofArguments(() => readMac("CNI_ARGS MAC", args.get("MAC"))),
  ];
  return {
    addresses: places.find(({ length }) => length > 0) ?? [],
    mac: macs.find((mac) => mac !== undefined),
  };
}

function addressesIn(field: string, values: readonly unknown[], numbered = true): readonly Address[] {
  return onePerFamily(
    field,
    values.map((value, i) => readAddress(numbered ? `${field}[${i}]` : field, value)),
  );
}

/** In lower case; an empty one is as if unsaid. */
export function readMac(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = typeof value === "string" ? value.toLowerCase() : "";
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)) {
    throw wrongField(`${field} ${JSON.stringify(value)} is no MAC address`, 'write it as "02:42:0a:f4:00:07"');
  }
  const first = Number.parseInt(text.slice(0, 2), 16);
  if ((first & 1) === 1 || text === "00:00:00:00:00:00") {
    throw wrongField(`${field} ${text} is no MAC address that an interface can have`, "multicast, or all zeros");
  }
  return text;
}

/** A fault in a variable of the environment has a code of its own. */
function ofArguments<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CniFault)) throw error;
    throw new CniFault(CniCode.InvalidEnvironment, error.message, error.details);
  }
}
