/**
 * Two namespaces joined by a veth: the device in one, the generator in the other. So peers are on the link, next hops
 * resolve, port 179 is free, and routes that a device installs are seen by nobody.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { DEVICE, GENERATOR_ADDRESS, PEER_RANGE, PREFIX_LENGTH } from "./addresses.ts";

/** Of the veth's ends, both. */
export const INTERFACE = "bench0";

const NAME = "ovt-bgp";

export class Arena {
  readonly device = `${NAME}${process.pid}-device`;
  readonly generator = `${NAME}${process.pid}-generator`;

  build(): void {
    for (const netns of [this.device, this.generator]) {
      ip("netns", "add", netns);
      ip("-n", netns, "link", "set", "lo", "up");
    }
    ip("-n", this.device, "link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", this.generator);
    for (const [netns, address] of [
      [this.device, DEVICE.address],
      [this.generator, GENERATOR_ADDRESS],
    ] as const) {
      ip("-n", netns, "addr", "add", `${address}/${PREFIX_LENGTH}`, "dev", INTERFACE);
      ip("-n", netns, "link", "set", INTERFACE, "up");
    }
    ip("-n", this.generator, "route", "add", "local", PEER_RANGE, "dev", "lo");
    // The generator must never be the one that waits; the device's sockets stay as its machine has them.
    for (const name of ["tcp_rmem", "tcp_wmem"]) {
      execFileSync(...enter(this.generator, ["sh", "-c", `echo 4096 4194304 33554432 > /proc/sys/net/ipv4/${name}`]));
    }
  }

  remove(): void {
    for (const netns of [this.device, this.generator]) spawnSync("ip", ["netns", "del", netns]);
  }
}

/** Takes away what a benchmark left that was killed and could not do it. */
export function removeLeftovers(): void {
  if (!existsSync("/run/netns")) return;
  for (const netns of readdirSync("/run/netns")) {
    const pid = new RegExp(`^${NAME}(\\d+)-`).exec(netns)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync("ip", ["netns", "del", netns]);
  }
}

/** The file and the arguments that run a command in a namespace. */
export function enter(netns: string, command: readonly string[]): [string, string[]] {
  return ["nsenter", [`--net=/run/netns/${netns}`, ...command]];
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
