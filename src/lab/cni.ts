/**
 * The container runtime's part: network configuration, the CNI protocol's environment, and reading the plugin's
 * answer. Pure.
 */

export interface CniCall {
  readonly command: "ADD" | "DEL" | "CHECK";
  readonly containerID: string;
  readonly netns: string;
  readonly pod: string;
  readonly pluginDirectory: string;
}

export interface CniResult {
  readonly addresses: readonly string[];
  readonly hostInterface: string;
}

/**
 * A node's network configuration: the socket and state directory are what a lab with many nodes on one machine needs.
 */
export const networkConfiguration = (socket: string, stateDir: string): string =>
  `${JSON.stringify({ cniVersion: "1.1.0", name: "overland", type: "overland", socket, stateDir }, null, 2)}\n`;

export const cniEnvironment = (call: CniCall): Record<string, string> => ({
  CNI_COMMAND: call.command,
  CNI_CONTAINERID: call.containerID,
  CNI_NETNS: call.netns,
  CNI_IFNAME: "eth0",
  CNI_PATH: call.pluginDirectory,
  CNI_ARGS: [
    "IgnoreUnknown=1",
    "K8S_POD_NAMESPACE=default",
    `K8S_POD_NAME=${call.pod}`,
    `K8S_POD_INFRA_CONTAINER_ID=${call.containerID}`,
  ].join(";"),
});

interface RawResult {
  readonly interfaces?: readonly { readonly name?: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address?: string }[];
}

/** Addresses without their length; the host's interface is the one that is in no sandbox. */
export function readCniResult(text: string): CniResult {
  const result = JSON.parse(text) as RawResult;
  const addresses = (result.ips ?? []).flatMap(({ address }) => address?.split("/")[0] ?? []);
  const host = result.interfaces?.find((one) => (one.sandbox ?? "") === "");
  return { addresses, hostInterface: host?.name ?? "" };
}

/** A CNI error object as one line. */
export function readCniError(text: string): string {
  try {
    const { code, msg, details } = JSON.parse(text) as { code?: number; msg?: string; details?: string };
    return `CNI error ${code}: ${msg}${details ? `: ${details}` : ""}`;
  } catch {
    return text.trim() || "no answer";
  }
}
