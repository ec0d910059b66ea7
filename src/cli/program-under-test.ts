/** For tests: the real program as a child process, and a real etcd for it on a free loopback port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LAUNCHER = new URL("../overland", import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `overland` with the arguments; only the environment given counts, and no configuration of this machine. */
export async function overland(args: readonly string[], env: Record<string, string> = {}, input = ""): Promise<Ended> {
  const child = spawn(LAUNCHER, args, { env: { PATH: process.env["PATH"] ?? "", ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (part: Buffer) => (stdout += part.toString()));
  child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

export interface EtcdUnderTest {
  readonly endpoint: string;
  /** Deletes every key. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEtcd(): Promise<EtcdUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "overland-cli-"));
  const [client, peer] = [await freePort(), await freePort()];
  const endpoint = `http://127.0.0.1:${client}`;
  const peers = `http://127.0.0.1:${peer}`;
  const clients = ["--listen-client-urls", endpoint, "--advertise-client-urls", endpoint];
  const cluster = [
    "--listen-peer-urls",
    peers,
    "--initial-advertise-peer-urls",
    peers,
    "--initial-cluster",
    `t=${peers}`,
  ];
  const args = ["--name", "t", "--data-dir", folder, ...clients, ...cluster, "--unsafe-no-fsync"];
  const child = spawn("etcd", args, { stdio: "ignore" });
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  // etcd's own JSON gateway; a zero octet as both ends means every key.
  const clear = async () => {
    const everything = JSON.stringify({ key: "AA==", range_end: "AA==" });
    await (await fetch(`${endpoint}/v3/kv/deleterange`, { method: "POST", body: everything })).text();
  };
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) break;
    const answer = await fetch(`${endpoint}/health`).catch(() => undefined);
    if (answer?.ok === true) return { endpoint, clear, stop };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  throw new Error("etcd did not start");
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "exit");
  child.kill("SIGKILL");
  await closed;
}
