/** A real etcd of one's own: members on free loopback ports, each in a directory that goes with it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class EtcdForTests {
  readonly endpoint: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "overland-etcd-"));
  readonly #name: string;
  readonly #peer: string;
  readonly #more: readonly string[];
  #cluster: readonly EtcdForTests[] = [this];
  #process: ChildProcess | undefined;

  private constructor(clientPort: number, peerPort: number, more: readonly string[], name = "test") {
    this.#name = name;
    const scheme = more.includes("--cert-file") ? "https" : "http";
    this.endpoint = `${scheme}://127.0.0.1:${clientPort}`;
    this.#peer = `http://127.0.0.1:${peerPort}`;
    this.#more = more;
  }

  /** Ports and directory are chosen, nothing runs yet. */
  static async prepare(more: readonly string[] = []): Promise<EtcdForTests> {
    const [clientPort, peerPort] = await freePorts(2);
    return new EtcdForTests(clientPort as number, peerPort as number, more);
  }

  /** Members of one cluster, none of which runs yet. */
  static async prepareCluster(size: number): Promise<EtcdForTests[]> {
    const ports = await freePorts(2 * size);
    const members = Array.from({ length: size }, (_, i) => {
      const [clientPort = 0, peerPort = 0] = ports.slice(2 * i);
      return new EtcdForTests(clientPort, peerPort, [], `m${i}`);
    });
    for (const member of members) member.#cluster = members;
    return members;
  }

  static async start(more: readonly string[] = []): Promise<EtcdForTests> {
    const etcd = await EtcdForTests.prepare(more);
    try {
      await etcd.start();
      return etcd;
    } catch (error) {
      await etcd.remove();
      throw error;
    }
  }

  /** Resolves when it serves; the content of an earlier run is kept. */
  async start(): Promise<void> {
    const urls = ["--listen-client-urls", "--advertise-client-urls"].flatMap((flag) => [flag, this.endpoint]);
    const peers = ["--listen-peer-urls", "--initial-advertise-peer-urls"].flatMap((flag) => [flag, this.#peer]);
    const members = this.#cluster.map((member) => `${member.#name}=${member.#peer}`).join(",");
    const cluster = ["--name", this.#name, "--initial-cluster", members, "--logger", "zap"];
    // One member need not wait a second before it elects itself; more must not take each other for dead too soon.
    const [heartbeat, election] = this.#cluster.length === 1 ? ["10", "100"] : ["50", "500"];
    const timing = ["--heartbeat-interval", heartbeat, "--election-timeout", election];
    const flags = ["--data-dir", this.#directory, ...urls, ...peers, ...cluster, ...timing, ...this.#more];
    const child = spawn("etcd", flags, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`etcd ended:\n${said}`)));
      child.stderr?.on("data", (data: Buffer) => {
        said += data.toString();
        if (said.includes("serving client traffic")) resolve();
      });
    });
    child.stderr?.removeAllListeners("data").resume();
  }

  /** Runs etcdctl against it; gives what it says. */
  control(...command: string[]): string {
    const env = { ...process.env, ETCDCTL_API: "3" };
    const stdio = ["ignore", "pipe", "ignore"] as ["ignore", "pipe", "ignore"];
    return execFileSync("etcdctl", ["--endpoints", this.endpoint, ...command], { env, stdio, encoding: "utf8" });
  }

  /** Whether it leads its cluster; false when it does not answer. */
  leads(): boolean {
    try {
      const [{ Status }] = JSON.parse(this.control("endpoint", "status", "-w", "json", "--command-timeout", "1s"));
      return Status.leader !== undefined && Status.leader === Status.header.member_id;
    } catch {
      return false;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends the process, as a crash does; the content stays. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
