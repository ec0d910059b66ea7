/** What a runtime asks of the plugin: its environment variables and the network configuration, checked. */
import { type Family } from "../../ipam/net/address.ts";
import { CniCode, CniFault } from "./fault.ts";

export const SUPPORTED_VERSIONS = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
const COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
export type Command = (typeof COMMANDS)[number];

export interface NetworkConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly mtu: number | undefined;
  /** Undefined: every family that has a pool. */
  readonly families: readonly Family[] | undefined;
  readonly pools: readonly string[];
  readonly prevResult: unknown;
  /** GC: what the runtime still knows. */
  readonly validAttachments: readonly { readonly containerID: string; readonly ifname: string }[] | undefined;
}

export interface CniRequest {
  readonly command: Command;
  readonly containerID: string;
  readonly netns: string;
  readonly ifName: string;
  readonly args: ReadonlyMap<string, string>;
  readonly config: NetworkConfig;
}

/** The plugin's message: `NAME=VALUE` per variable and an empty one, each ended by NUL, then stdin as it was. */
export function readMessage(body: Uint8Array): { env: Map<string, string>; stdin: string } {
  const env = new Map<string, string>();
  const text = new TextDecoder();
  let at = 0;
  for (;;) {
    const end = body.indexOf(0, at);
    if (end < 0) throw new CniFault(CniCode.Undecodable, "the request is cut off before its network configuration");
    if (end === at) return { env, stdin: text.decode(body.subarray(end + 1)) };
    const variable = text.decode(body.subarray(at, end));
    const equals = variable.indexOf("=");
    if (equals > 0) env.set(variable.slice(0, equals), variable.slice(equals + 1));
    at = end + 1;
  }
}

/** The version to answer in, also when the rest of the configuration cannot be read. */
export function versionOf(stdin: string): string {
  try {
    const version = (JSON.parse(stdin) as { cniVersion?: unknown } | null)?.cniVersion;
    if (SUPPORTED_VERSIONS.includes(version as never)) return version as string;
  } catch {
    // Answered in our newest version: the fault itself says what is wrong with the configuration.
  }
  return "1.1.0";
}

export function readRequest(body: Uint8Array): CniRequest {
  const { env, stdin } = readMessage(body);
  const command = env.get("CNI_COMMAND") ?? "";
  if (!isCommand(command)) {
    const what = command === "" ? "CNI_COMMAND is not set" : `CNI_COMMAND ${JSON.stringify(command)} is unknown`;
    throw new CniFault(CniCode.InvalidEnvironment, what, `known commands: ${COMMANDS.join(", ")}`);
  }
  const config = readConfig(stdin);
  const request: CniRequest = {
    command,
    containerID: env.get("CNI_CONTAINERID") ?? "",
    netns: env.get("CNI_NETNS") ?? "",
    ifName: env.get("CNI_IFNAME") ?? "",
    args: readArgs(env.get("CNI_ARGS") ?? ""),
    config,
  };
  const concernsContainer = command === "ADD" || command === "DEL" || command === "CHECK";
  if (concernsContainer) checkContainer(request);
  return request;
}

function isCommand(text: string): text is Command {
  return (COMMANDS as readonly string[]).includes(text);
}

/** The specification's own rules for the two names; both become parts of file names and store keys. */
function checkContainer({ command, containerID, ifName, netns }: CniRequest): void {
  const wrong = (text: string) => new CniFault(CniCode.InvalidEnvironment, text);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/.test(containerID)) {
    throw wrong(`CNI_CONTAINERID ${JSON.stringify(containerID)} is not letters, digits, "_", "." and "-"`);
  }
  if (ifName === "." || ifName === ".." || !/^[^/:\s\0]{1,15}$/.test(ifName)) {
    throw wrong(
      `CNI_IFNAME ${JSON.stringify(ifName)} is no interface name: 1 to 15 characters without "/", ":" and space`,
    );
  }
  if (netns === "" && command !== "DEL") throw wrong("CNI_NETNS is not set");
}

function readArgs(text: string): Map<string, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0) args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return args;
}

function readConfig(stdin: string): NetworkConfig {
  if (stdin.trim() === "") throw new CniFault(CniCode.Undecodable, "the network configuration on stdin is empty");
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(stdin) as Record<string, unknown>;
  } catch (error) {
    throw new CniFault(CniCode.Undecodable, "the network configuration is not JSON", (error as Error).message);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CniFault(CniCode.Undecodable, "the network configuration is not a JSON object");
  }
  const { cniVersion, name, mtu, ipam } = value;
  if (!SUPPORTED_VERSIONS.includes(cniVersion as never)) {
    const said =
      cniVersion === undefined ? "cniVersion is missing" : `cniVersion ${JSON.stringify(cniVersion)} is not supported`;
    throw new CniFault(CniCode.IncompatibleVersion, said, `supported: ${SUPPORTED_VERSIONS.join(", ")}`);
  }
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/.test(name)) {
    throw new CniFault(
      CniCode.InvalidConfig,
      `name ${JSON.stringify(name)} is not a network name`,
      "letters, digits, _ . -",
    );
  }
  if (mtu !== undefined && !(Number.isInteger(mtu) && (mtu as number) >= 0 && (mtu as number) <= 65535)) {
    throw new CniFault(CniCode.InvalidConfig, `mtu ${JSON.stringify(mtu)} is not a number from 0 to 65535`);
  }
  return {
    cniVersion: cniVersion as string,
    name,
    // 0 is Calico's way to say "as the uplink".
    mtu: mtu === 0 ? undefined : (mtu as number | undefined),
    ...readIpam(ipam),
    prevResult: value.prevResult,
    validAttachments: readAttachments(value["cni.dev/valid-attachments"]),
  };
}

function readIpam(ipam: unknown): Pick<NetworkConfig, "families" | "pools"> {
  if (ipam === undefined || ipam === null) return { families: undefined, pools: [] };
  const wrong = (text: string) => new CniFault(CniCode.InvalidConfig, text);
  if (typeof ipam !== "object" || Array.isArray(ipam)) throw wrong("ipam is not an object");
  const { type, assign_ipv4, assign_ipv6, ipv4_pools, ipv6_pools } = ipam as Record<string, unknown>;
  if (type !== undefined && type !== "overland-ipam" && type !== "calico-ipam") {
    throw wrong(`ipam.type ${JSON.stringify(type)} is not overland-ipam: addresses come from Overland's own pools`);
  }
  const families: Family[] = [];
  for (const [family, field, said] of [
    [4, "assign_ipv4", assign_ipv4],
    [6, "assign_ipv6", assign_ipv6],
  ] as const) {
    // Calico's manifests write the booleans as strings, too.
    if (said === true || said === "true") families.push(family);
    else if (said !== undefined && said !== false && said !== "false") {
      throw wrong(`ipam.${field} ${JSON.stringify(said)} is not true or false`);
    }
  }
  const asked = assign_ipv4 !== undefined || assign_ipv6 !== undefined;
  // Calico's default for the family that is not mentioned: IPv4 yes, IPv6 no.
  if (asked && assign_ipv4 === undefined) families.unshift(4);
  if (asked && families.length === 0) throw wrong("ipam.assign_ipv4 and ipam.assign_ipv6 are both false");
  return {
    families: asked ? families : undefined,
    pools: [...poolList("ipv4_pools", ipv4_pools), ...poolList("ipv6_pools", ipv6_pools)],
  };
}

function poolList(field: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw new CniFault(CniCode.InvalidConfig, `ipam.${field} is not a list of pool names or CIDRs`);
}

function readAttachments(value: unknown): NetworkConfig["validAttachments"] {
  if (value === undefined) return undefined;
  const fits = (one: unknown) =>
    typeof one === "object" && one !== null && typeof (one as { containerID?: unknown }).containerID === "string";
  if (Array.isArray(value) && value.every(fits)) return value;
  throw new CniFault(CniCode.InvalidConfig, "cni.dev/valid-attachments is not a list of {containerID, ifname}");
}
