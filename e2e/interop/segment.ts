/** One Ethernet segment of a scenario's own: a bridge, and a namespace with an address of each family per station. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { inside, must, run } from "../harness/command.ts";
import { eventually } from "../harness/wait.ts";

export interface Station {
  readonly netns: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** For files of the program that runs there. */
  readonly base: string;
}

/** Ends a program that was started at a station, and waits until it is gone. */
export async function ended(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  if (isOver()) return;
  process.kill(signal === "SIGKILL" ? -(child.pid as number) : (child.pid as number), signal);
  await eventually(`${child.spawnargs.join(" ")} ends after ${signal}`, 20, isOver);
}

export class Segment {
  readonly directory = mkdtempSync(`${tmpdir()}/overland-interop-`);
  readonly #prefix = `ovl-e2ei${process.pid}-`;
  readonly #namespaces: string[] = [];
  readonly #processes: ChildProcess[] = [];

  async make(): Promise<void> {
    // Daemons give up root.
    chmodSync(this.directory, 0o755);
    await this.#namespace("hub");
    await must(["ip", "-n", this.#name("hub"), "link", "add", "br0", "type", "bridge"]);
    await must(["ip", "-n", this.#name("hub"), "link", "set", "br0", "up"]);
  }

  /** Host number `n` of 10.88.0.0/24 and fd88::/64. */
  async station(name: string, n: number): Promise<Station> {
    const netns = await this.#namespace(name);
    const hub = this.#name("hub");
    await must(["ip", "link", "add", "eth0", "netns", netns, "type", "veth", "peer", "name", name, "netns", hub]);
    await must(["ip", "-n", hub, "link", "set", name, "master", "br0", "up"]);
    const station = { netns, ipv4: `10.88.0.${n}`, ipv6: `fd88::${n}`, base: `${this.directory}/${name}` };
    await must(["ip", "-n", netns, "link", "set", "lo", "up"]);
    await must(["ip", "-n", netns, "link", "set", "eth0", "up"]);
    await must(["ip", "-n", netns, "address", "add", `${station.ipv4}/24`, "dev", "eth0"]);
    await must(["ip", "-n", netns, "address", "add", `${station.ipv6}/64`, "dev", "eth0", "nodad"]);
    return station;
  }

  /** A station that is not on the segment, but at the end of cables. */
  async apart(name: string, ipv4: string, ipv6: string): Promise<Station> {
    const netns = await this.#namespace(name);
    await must(["ip", "-n", netns, "link", "set", "lo", "up"]);
    return { netns, ipv4, ipv6, base: `${this.directory}/${name}` };
  }

  /** A link of two stations' own, eth`n` at both ends: hosts 1 and 2 of 10.89.n.0/24 and fd89:n::/64. */
  async cable(n: number, ...ends: readonly [Station, Station]): Promise<void> {
    await this.bareCable(n, ...ends);
    for (const [i, { netns }] of ends.entries()) {
      await must(["ip", "-n", netns, "address", "add", `10.89.${n}.${i + 1}/24`, "dev", `eth${n}`]);
      await must(["ip", "-n", netns, "address", "add", `fd89:${n}::${i + 1}/64`, "dev", `eth${n}`, "nodad"]);
    }
  }

  /** The same with no addresses but the link-local ones that the kernel gives. */
  async bareCable(n: number, left: Station, right: Station): Promise<void> {
    const device = `eth${n}`;
    const far = ["peer", "name", device, "netns", right.netns];
    await must(["ip", "link", "add", device, "netns", left.netns, "type", "veth", ...far]);
    for (const { netns } of [left, right]) await must(["ip", "-n", netns, "link", "set", device, "up"]);
  }

  /** Runs for as long as the segment is there; its words go to `<base>.log`. */
  start({ netns, base }: Station, command: readonly string[]): ChildProcess {
    const log = openSync(`${base}.log`, "a");
    const [file = "", ...args] = inside(netns, command);
    const child = spawn(file, args, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    this.#processes.push(child);
    return child;
  }

  logOf({ base }: Station): string {
    return readFileSync(`${base}.log`, "utf8").slice(-3000);
  }

  async remove(): Promise<void> {
    for (const { pid } of this.#processes) {
      try {
        // Daemons of several processes are a group of their own.
        if (pid !== undefined) process.kill(-pid, "SIGKILL");
      } catch {
        // Ended before.
      }
    }
    for (const name of this.#namespaces) await run(["ip", "netns", "del", name]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #name(name: string): string {
    return `${this.#prefix}${name}`;
  }

  async #namespace(name: string): Promise<string> {
    const netns = this.#name(name);
    await must(["ip", "netns", "add", netns]);
    this.#namespaces.push(netns);
    return netns;
  }
}
