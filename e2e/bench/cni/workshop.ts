/** What the benchmark builds and starts, and takes away again however it ends. */
import { type ChildProcess, execFileSync, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Interrupted, Refusal } from "../ending.ts";
import { RouteFeed } from "./route-feed.ts";

export type SideName = "overland" | "ptp + host-local";

/** One side of the comparison: where it works and how it is called. */
export interface Side {
  readonly name: SideName;
  readonly netns: string;
  readonly plugin: string;
  readonly configFile: string;
}

/** A line of the load driver. Times in milliseconds. */
export interface Phase {
  readonly side: SideName;
  readonly op: "ADD" | "DEL";
  readonly n: number;
  readonly c: number;
  readonly fail: number;
  readonly wall_ms: number;
  readonly p50: number;
  readonly p99: number;
  readonly per_s: number;
  /** Medians of the first and the last hundred pods. */
  readonly first: number;
  readonly last: number;
  /** Processor time for a call: of the plugin's processes, and of the agent, where there is one. */
  readonly cpu_ms: number;
  readonly agent_ms: number;
}

const ROOT = join(import.meta.dirname, "../../..");
const OVERLAND = join(ROOT, "src/overland");
const ETCD = "http://127.0.0.1:2379";
const READY_SECONDS = 20;

// IPv4 alone on both sides: with an IPv6 address ptp waits two seconds for duplicate address detection.
const POOL = `apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: bench}
spec: {cidr: 10.244.0.0/16}
`;

const PEER = `apiVersion: overland.dev/v1
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 10.1.1.254, asNumber: 65001}
`;
const TICK_MS = 10;

export class Workshop {
  readonly #folder: string;
  readonly #name = `ovbench${process.pid}`;
  /** In memory, as /run is on a usual host. */
  readonly #runDirectory = `/dev/shm/${this.#name}`;
  readonly #netns: string[] = [];
  readonly #daemons: ChildProcess[] = [];
  #load: ChildProcess | undefined;
  #agent: ChildProcess | undefined;
  #interrupted = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  build(): void {
    const plugin = spawnSync(process.execPath, [join(ROOT, "src/cni/plugin/build.mjs")], { stdio: "inherit" });
    if (plugin.status !== 0) throw new Refusal("the plugin cannot be built");
    for (const name of ["load", "floor"]) {
      const source = join(import.meta.dirname, `${name}.c`);
      const flags = ["-O2", "-Wall", "-pthread", "-o", this.#path(name), source];
      if (spawnSync("gcc", flags, { stdio: "inherit" }).status !== 0) throw new Refusal(`${source} cannot be built`);
    }
  }

  /** Ends what runs now; the rest of the benchmark throws {@link Interrupted}. */
  interrupt(): void {
    this.#interrupted = true;
    this.#load?.kill("SIGTERM");
  }

  async overland(): Promise<Side> {
    const netns = this.#makeNetns("ours");
    for (const command of [
      "link add name uplink type bridge",
      "addr add 10.1.1.1/24 dev uplink",
      "link set uplink up",
    ]) {
      execFileSync("ip", ["-n", netns, ...command.split(" ")]);
    }
    mkdirSync(this.#runDirectory);
    const [socket, stateDir] = [`${this.#runDirectory}/agent.sock`, this.#path("state")];
    this.#write("pool.yaml", POOL);
    const agent = { nodeName: "bench", socket, stateDir, http: "off", etcd: { endpoints: [ETCD] } };
    this.#write("agent.yaml", JSON.stringify({ ...agent, ipv4Address: "10.1.1.1/24", log: { level: "warn" } }));
    const plugin = join(ROOT, "dist/cni/overland");
    const config = { cniVersion: "1.1.0", name: "overland", type: "overland", socket, stateDir };
    const configFile = this.#write("overland.json", JSON.stringify(config));
    this.#start(netns, "etcd", "etcd", "--data-dir", this.#path("etcd"), "--log-level", "warn");
    const env = { ETCD_ENDPOINTS: ETCD };
    await this.#until(netns, "etcd", { args: [OVERLAND, "apply", "-f", this.#path("pool.yaml")], env });
    this.#agent = this.#start(netns, "agent", OVERLAND, "agent", "--config", this.#path("agent.yaml"));
    await this.#until(netns, "agent", { args: [plugin], env: { CNI_COMMAND: "STATUS" }, input: configFile });
    return { name: "overland", netns, plugin, configFile };
  }

  reference(): Side {
    const ranges = [[{ subnet: "10.244.0.0/16" }]];
    const routes = [{ dst: "0.0.0.0/0" }];
    const ipam = { type: "host-local", dataDir: this.#path("host-local"), ranges, routes };
    const config = { cniVersion: "1.0.0", name: "reference", type: "ptp", ipam };
    const configFile = this.#write("ptp.json", JSON.stringify(config));
    return { name: "ptp + host-local", netns: this.#makeNetns("ptp"), plugin: "/usr/lib/cni/ptp", configFile };
  }

  /** ADD and DEL of so many pods, for each number of calls in flight. */
  async load(side: Side, pods: number, inFlight: readonly (number | string)[], onPhase?: () => void): Promise<Phase[]> {
    const { name, netns, plugin, configFile } = side;
    this.#checkInterrupted();
    const args = [this.#path("load"), plugin, configFile, `${this.#name}-p`, `${pods}`, inFlight.join(",")];
    const child = spawn("nsenter", [`--net=/run/netns/${netns}`, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    this.#load = child;
    const phases: Phase[] = [];
    let before = this.agentUse().cpuMs;
    createInterface(child.stdout).on("line", (line) => {
      const after = this.agentUse().cpuMs;
      const phase = JSON.parse(line) as Omit<Phase, "side" | "agent_ms">;
      phases.push({ side: name, ...phase, agent_ms: name === "overland" ? (after - before) / phase.n : 0 });
      before = after;
      onPhase?.();
    });
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    this.#load = undefined;
    this.#checkInterrupted();
    if (phases.length === 0) throw new Error(`the load driver failed with status ${status}`);
    return phases;
  }

  /** What the kernel alone takes to wire a pod. */
  floor(pods: number): { readonly cpu_ms: number; readonly p50: number } {
    this.#checkInterrupted();
    const { stdout, status } = spawnSync("unshare", ["-n", this.#path("floor"), `${pods}`], { encoding: "utf8" });
    if (status !== 0) throw new Error("the kernel's floor cannot be measured");
    return JSON.parse(stdout) as { cpu_ms: number; p50: number };
  }

  /** Of the agent's process and its threads. */
  agentUse(): { readonly cpuMs: number; readonly residentMb: number } {
    const pid = this.#agent?.pid;
    if (pid === undefined) return { cpuMs: 0, residentMb: 0 };
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const resident = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, residentMb: Number(resident) / 1024 };
  }

  /** A router on the node's uplink, in a namespace of its own; `apply` makes the node peer with it. */
  async router(side: Side): Promise<RouteFeed> {
    const netns = this.#makeNetns("tor");
    const [node, tor] = [`${this.#name.slice(-8)}n`, `${this.#name.slice(-8)}t`];
    for (const command of [
      `link add ${node} netns ${side.netns} type veth peer name ${tor} netns ${netns}`,
      `-n ${side.netns} link set ${node} master uplink up`,
      `-n ${netns} addr add 10.1.1.254/24 dev ${tor}`,
      `-n ${netns} link set ${tor} up`,
    ]) {
      execFileSync("ip", command.split(" "));
    }
    const feed = new RouteFeed(this.#folder, netns);
    this.#start(netns, "bird", ...feed.command);
    const file = this.#write("peer.yaml", PEER);
    const env = { ETCD_ENDPOINTS: ETCD };
    await this.#until(side.netns, "bird", { args: [OVERLAND, "apply", "-f", file], env });
    await feed.established();
    return feed;
  }

  /** Takes everything away: agent before etcd, and namespaces last. */
  async close(): Promise<void> {
    for (const daemon of this.#daemons.reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const gone = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill("SIGTERM");
      const force = setTimeout(() => daemon.kill("SIGKILL"), 5000);
      await gone;
      clearTimeout(force);
    }
    rmSync(this.#runDirectory, { recursive: true, force: true });
    // The driver removes its own; after a SIGKILL they are still there.
    const left = readdirSync("/run/netns").filter((name) => name.startsWith(`${this.#name}-p`));
    for (const netns of [...left, ...this.#netns]) spawnSync("ip", ["netns", "del", netns]);
  }

  #checkInterrupted(): void {
    if (this.#interrupted) throw new Interrupted("interrupted");
  }

  #write(name: string, text: string): string {
    writeFileSync(this.#path(name), text);
    return this.#path(name);
  }

  #makeNetns(suffix: string): string {
    const netns = `${this.#name}-${suffix}`;
    execFileSync("ip", ["netns", "add", netns]);
    this.#netns.push(netns);
    execFileSync("ip", ["-n", netns, "link", "set", "lo", "up"]);
    return netns;
  }

  /** Detached: Ctrl-C at the terminal is for us, who end them in order. */
  #start(netns: string, name: string, ...args: string[]): ChildProcess {
    const log = openSync(this.#path(`${name}.log`), "a");
    const stdio: StdioOptions = ["ignore", log, log];
    const daemon = spawn("nsenter", [`--net=/run/netns/${netns}`, ...args], { stdio, detached: true });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Runs the command again and again until it succeeds. */
  async #until(
    netns: string,
    name: string,
    { args, env, input }: { args: string[]; env: Record<string, string>; input?: string },
  ): Promise<void> {
    const deadline = Date.now() + READY_SECONDS * 1000;
    for (;;) {
      this.#checkInterrupted();
      const { status, stdout, stderr } = spawnSync("nsenter", [`--net=/run/netns/${netns}`, ...args], {
        env: { PATH: process.env["PATH"], ...env },
        encoding: "utf8",
        timeout: READY_SECONDS * 1000,
        ...(input === undefined ? {} : { input: readFileSync(input) }),
      });
      if (status === 0) return;
      if (Date.now() > deadline) {
        const log = readFileSync(this.#path(`${name}.log`), "utf8")
          .split("\n")
          .slice(-10)
          .join("\n");
        throw new Error(`${name} is not ready after ${READY_SECONDS} s: ${stdout}${stderr}\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
