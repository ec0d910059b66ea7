/** The network configuration on standard input. */
import { type Family } from "../../ipam/net/address.ts";
import { type AskedFor, readAskedFor } from "./asked-for.ts";
import { booleanOf, type Fields, fieldsOf, listOf, textsOf, wrongField } from "./config-values.ts";
import { type Delegation, readDelegation } from "./delegation.ts";
import { CniCode, CniFault } from "./fault.ts";
import { type Dns, type PrevResult, readDns, readPrevResult } from "./prev-result.ts";

export const SUPPORTED_VERSIONS = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type PoolNames = Readonly<Record<Family, readonly string[]>>;

export interface NetworkConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly mtu: number | undefined;
  /** Undefined: every family that has a pool. */
  readonly families: readonly Family[] | undefined;
  /** Names or CIDRs, in order of preference. */
  readonly pools: PoolNames;
  readonly askedFor: AskedFor;
  /** Calico's container_settings.allow_ip_forwarding. */
  readonly allowForwarding: boolean;
  readonly dns: Dns;
  /** What the plugins before us made (ADD), or the whole chain (CHECK, DEL). */
  readonly prevResult: PrevResult | undefined;
  /** What the main plugin needs to hear beside the addresses, where we are its `overland-ipam`. */
  readonly delegation: Delegation;
  /** GC: what the runtime still knows. */
  readonly validAttachments: readonly { readonly containerID: string; readonly ifname: string }[] | undefined;
}

/** Which part of the configuration a command needs: no more of it can be a reason to refuse. */
export type Purpose = "making" | "removing";

export function readConfig(stdin: string, args: ReadonlyMap<string, string>, purpose: Purpose): NetworkConfig {
  const value = parse(stdin);
  const { cniVersion, name } = value;
  if (!SUPPORTED_VERSIONS.includes(cniVersion as never)) {
    const said =
      cniVersion === undefined ? "cniVersion is missing" : `cniVersion ${JSON.stringify(cniVersion)} is not supported`;
    throw new CniFault(CniCode.IncompatibleVersion, said, `supported: ${SUPPORTED_VERSIONS.join(", ")}`);
  }
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/.test(name)) {
    throw wrongField(`name ${JSON.stringify(name)} is not a network name`, "letters, digits, _ . -");
  }
  const validAttachments = readAttachments(value["cni.dev/valid-attachments"]);
  const common = { cniVersion: cniVersion as string, name, validAttachments };
  // A pod must be removable also with a configuration that was spoilt since.
  if (purpose === "removing") return { ...common, ...readRest({}, new Map()) };
  return { ...common, ...readRest(value, args) };
}

function parse(stdin: string): Fields {
  if (stdin.trim() === "") throw new CniFault(CniCode.Undecodable, "the network configuration on stdin is empty");
  let value: unknown;
  try {
    value = JSON.parse(stdin);
  } catch (error) {
    throw new CniFault(CniCode.Undecodable, "the network configuration is not JSON", (error as Error).message);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CniFault(CniCode.Undecodable, "the network configuration is not a JSON object");
  }
  return value as Fields;
}

type Rest = Omit<NetworkConfig, "cniVersion" | "name" | "validAttachments">;

function readRest(value: Fields, args: ReadonlyMap<string, string>): Rest {
  const { mtu } = value;
  if (mtu !== undefined && !(Number.isInteger(mtu) && (mtu as number) >= 0 && (mtu as number) <= 65535)) {
    throw wrongField(`mtu ${JSON.stringify(mtu)} is not a number from 0 to 65535`);
  }
  const ipam = fieldsOf("ipam", value["ipam"]);
  const settings = fieldsOf("container_settings", value["container_settings"]);
  const forwarding = booleanOf("container_settings.allow_ip_forwarding", settings["allow_ip_forwarding"]);
  return {
    // 0 is Calico's way to say "as the uplink".
    mtu: mtu === 0 ? undefined : (mtu as number | undefined),
    ...readIpam(ipam),
    askedFor: readAskedFor(value, args),
    allowForwarding: forwarding ?? false,
    dns: readDns(value),
    prevResult: readPrevResult(value["prevResult"]),
    delegation: readDelegation(ipam),
  };
}

function readIpam(ipam: Fields): Pick<NetworkConfig, "families" | "pools"> {
  const { type, assign_ipv4, assign_ipv6, ipv4_pools, ipv6_pools } = ipam;
  if (type !== undefined && type !== "overland-ipam" && type !== "calico-ipam") {
    throw wrongField(
      `ipam.type ${JSON.stringify(type)} is not overland-ipam: addresses come from Overland's own pools`,
    );
  }
  const [ipv4, ipv6] = [booleanOf("ipam.assign_ipv4", assign_ipv4), booleanOf("ipam.assign_ipv6", assign_ipv6)];
  // Calico's default for the family that is not mentioned: IPv4 yes, IPv6 no.
  const families: Family[] = [...(ipv4 === false ? [] : [4 as const]), ...(ipv6 === true ? [6 as const] : [])];
  const asked = ipv4 !== undefined || ipv6 !== undefined;
  if (asked && families.length === 0) throw wrongField("ipam.assign_ipv4 and ipam.assign_ipv6 are both false");
  return {
    families: asked ? families : undefined,
    pools: { 4: poolList("ipam.ipv4_pools", ipv4_pools), 6: poolList("ipam.ipv6_pools", ipv6_pools) },
  };
}

function poolList(field: string, value: unknown): readonly string[] {
  try {
    return textsOf(field, value);
  } catch {
    throw wrongField(`${field} is not a list of pool names or CIDRs`);
  }
}

function readAttachments(value: unknown): NetworkConfig["validAttachments"] {
  if (value === undefined) return undefined;
  const text = (one: unknown) => typeof one === "string" && one !== "";
  const fits = (one: unknown) => {
    const { containerID, ifname } = (one ?? {}) as Fields;
    return text(containerID) && text(ifname);
  };
  const list = listOf("cni.dev/valid-attachments", value);
  if (list.every(fits)) return list as NonNullable<NetworkConfig["validAttachments"]>;
  throw wrongField("cni.dev/valid-attachments is not a list of {containerID, ifname}");
}
