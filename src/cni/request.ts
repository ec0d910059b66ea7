/** What a runtime asks of the plugin: its environment variables and the network configuration, checked. */
import type { Labels } from "../../ipam/selector.ts";
import { type NetworkConfig, readConfig, SUPPORTED_VERSIONS } from "./config.ts";
import { CniCode, CniFault } from "./fault.ts";

const COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
export type Command = (typeof COMMANDS)[number];

/** The name under which the plugin was executed: main plugin, or address delegate of another one. */
export type Plugin = "overland" | "overland-ipam";

export interface CniRequest {
  readonly command: Command;
  readonly plugin: Plugin;
  readonly containerID: string;
  readonly netns: string;
  readonly ifName: string;
  readonly args: ReadonlyMap<string, string>;
  readonly config: NetworkConfig;
  /** Of the pod's namespace, once Kubernetes was asked; undefined: the request comes from none that is known. */
  readonly namespaceLabels?: Labels;
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
  const args = readArgs(env.get("CNI_ARGS") ?? "");
  const removing = command === "DEL" || command === "GC";
  const config = readConfig(stdin, args, removing ? "removing" : "making");
  checkVersion(command, config);
  const request: CniRequest = {
    command,
    // Only the plugin itself can have put a variable in that does not begin with CNI_.
    plugin: env.get("PLUGIN") === "overland-ipam" ? "overland-ipam" : "overland",
    containerID: env.get("CNI_CONTAINERID") ?? "",
    netns: env.get("CNI_NETNS") ?? "",
    ifName: env.get("CNI_IFNAME") ?? "",
    args,
    config,
  };
  const concernsContainer = command === "ADD" || command === "DEL" || command === "CHECK";
  if (concernsContainer) checkContainer(request);
  return request;
}

function isCommand(text: string): text is Command {
  return (COMMANDS as readonly string[]).includes(text);
}

/** CHECK came with 0.4.0, GC and STATUS with 1.1.0; and CHECK is about the result of ADD, which the runtime keeps. */
function checkVersion(command: Command, { cniVersion, prevResult }: NetworkConfig): void {
  const late = command === "GC" || command === "STATUS";
  if ((late && cniVersion !== "1.1.0") || (command === "CHECK" && cniVersion === "0.3.1")) {
    const since = late ? "1.1.0" : "0.4.0";
    const text = `cniVersion ${cniVersion} has no ${command}`;
    throw new CniFault(CniCode.IncompatibleVersion, text, `it came with version ${since}`);
  }
  if (command === "CHECK" && prevResult === undefined) {
    throw new CniFault(CniCode.InvalidConfig, "prevResult is missing: CHECK needs the result of ADD");
  }
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
