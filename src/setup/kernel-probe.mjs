/**
 * Does this kernel, and the container around us if there is one, allow what a lab is made of? Tried in a scratch
 * namespace that is gone a moment later, whatever comes of it.
 */
import { spawnSync } from "node:child_process";
import { Unfit } from "./unfit.mjs";

const NAME = `ovl-probe-${process.pid}`;

/** A step's word is printed before it is tried: the last word printed is the one that failed. */
const STEPS = [
  ["network namespaces (ip netns add)", `ip netns add ${NAME}`],
  ["IPv6", "test -d /proc/sys/net/ipv6"],
  ["veth links", `ip -n ${NAME} link add v0 type veth peer name v1`],
  ["bridges", `ip -n ${NAME} link add b0 type bridge`],
  ["IPv6 addresses", `ip -n ${NAME} address add fd00::1/64 dev v0 nodad`],
  ["entering a namespace (nsenter)", `nsenter --net=/run/netns/${NAME} -- true`],
  ["nftables", `nsenter --net=/run/netns/${NAME} -- nft add table inet overland_probe`],
];

export function probeKernel() {
  const lines = STEPS.flatMap(([word, command]) => [`echo '${word}'`, command]);
  const script = [`trap 'ip netns del ${NAME} 2>/dev/null' EXIT`, "set -e", ...lines, "echo fit"].join("\n");
  const { stdout = "", stderr = "" } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  const last = stdout.trim().split("\n").at(-1);
  if (last === "fit") return;
  throw new Unfit(
    `this machine does not allow ${last || "shell commands"}: ${stderr.trim().split("\n")[0] || "no reason given"}. ` +
      "The lab needs root on a Linux kernel with them; in a container, run that container privileged.",
  );
}
