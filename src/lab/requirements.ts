/** What the machine must offer before anything is touched; everything that is missing is named in one sentence. */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";

export class MachineUnfit extends Error {
  readonly code = "MACHINE_UNFIT";
}

const COMMANDS = [
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["bird", "bird2"],
  ["birdc", "bird2"],
  ["vtysh", "frr"],
  ["etcd", "etcd-server"],
  ["etcdctl", "etcd-client"],
  ["tcpdump", "tcpdump"],
  ["ping", "iputils-ping"],
  ["curl", "curl"],
  ["nft", "nftables"],
] as const;

const KUBERNETES_COMMANDS = [
  ["kubectl", "kubernetes-client"],
  ["openssl", "openssl"],
] as const;
const FRR_DAEMONS = ["/usr/lib/frr/zebra", "/usr/lib/frr/bgpd"];
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** @param kubernetes for a lab with an API server: somebody must talk to it */
export function checkMachine(kubernetes = false): void {
  if (process.getuid?.() !== 0) {
    throw new MachineUnfit("the lab makes network namespaces, which only root may do: run it with sudo");
  }
  // Daemons live in sbin, which a plain user's PATH (kept by some sudo) leaves out.
  const folders = new Set([...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_FOLDERS]);
  process.env["PATH"] = [...folders].join(delimiter);
  const commands = [...COMMANDS, ...(kubernetes ? KUBERNETES_COMMANDS : [])];
  const missing = commands.filter(([command]) => ![...folders].some((folder) => existsSync(`${folder}/${command}`)));
  const packages = new Set<string>(missing.map(([, name]) => name));
  if (FRR_DAEMONS.some((daemon) => !existsSync(daemon))) packages.add("frr");
  if (packages.size === 0) return;
  throw new MachineUnfit(
    `not installed: ${[...packages].join(", ")}. Install with: apt-get install ${[...packages].join(" ")}`,
  );
}
