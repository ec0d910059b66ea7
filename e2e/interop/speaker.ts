/** `overland speaker` at a station: started, ended and reconfigured as by a service manager, asked as by operators. */
import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { Explanation, PeerSummary, PeerView, RouteView } from "../../bgp/inspect/types.ts";
import type { Finished } from "../harness/command.ts";
import { OVERLAND, overland } from "../harness/program.ts";
import { eventually } from "../harness/wait.ts";
import { ended, type Segment, type Station } from "./segment.ts";

/** The file's fields; socket and, where not given, routerID are the station's. */
export type SpeakerFile = Readonly<Record<string, unknown>>;

export class Speaker {
  readonly station: Station;
  readonly #segment: Segment;
  #process: ChildProcess | undefined;

  constructor(segment: Segment, station: Station) {
    this.#segment = segment;
    this.station = station;
  }

  /** Without a file: with the one it had. Resolves when it listens. */
  async start(file?: SpeakerFile): Promise<void> {
    if (file !== undefined) this.#write(file);
    const { base } = this.station;
    this.#process = this.#segment.start(this.station, [...OVERLAND, "speaker", "--config", `${base}.yaml`]);
    await eventually(`the speaker of ${base} listens`, 15, async () => (await this.peers()) !== undefined);
  }

  reload(file: SpeakerFile): void {
    this.#write(file);
    process.kill(this.pid, "SIGHUP");
  }

  async end(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    if (this.#process !== undefined) await ended(this.#process, signal);
  }

  get pid(): number {
    return this.#process?.pid as number;
  }

  /** The most memory it ever had, in MiB. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  async peers(): Promise<readonly PeerSummary[]> {
    return ((await this.#ask("/v1/bgp/peers")) as { peers: PeerSummary[] }).peers;
  }

  async peer(name: string): Promise<PeerView> {
    return (await this.#ask(`/v1/bgp/peers/${encodeURIComponent(name)}`)) as PeerView;
  }

  /** By what `GET /v1/bgp/routes` understands: prefix, in, out, best, family. */
  async routes(query: Readonly<Record<string, string>>): Promise<readonly RouteView[]> {
    return ((await this.#ask(`/v1/bgp/routes?${new URLSearchParams(query).toString()}`)) as { routes: RouteView[] })
      .routes;
  }

  async explain(prefix: string): Promise<Explanation> {
    return (await this.#ask(`/v1/bgp/explain?prefix=${encodeURIComponent(prefix)}`)) as Explanation;
  }

  /** `overland bgp …` as an operator types it. */
  command(...words: readonly string[]): Promise<Finished> {
    return overland(["bgp", ...words, "--socket", `${this.station.base}.sock`]);
  }

  /** All of them, or those named. */
  async established(seconds: number, ...names: readonly string[]): Promise<void> {
    await eventually(`sessions of ${this.station.base} are Established`, seconds, async () => {
      const peers = (await this.peers()).filter(({ name }) => names.length === 0 || names.includes(name));
      const down = peers.filter(({ state }) => state !== "Established");
      if (down.length > 0) throw new Error(down.map((one) => `${one.name}: ${one.state} ${one.lastError}`).join("; "));
      return peers.length >= Math.max(1, names.length);
    });
  }

  /** How often each session was established: 1 says that it never flapped. */
  async sessions(): Promise<Readonly<Record<string, number>>> {
    return Object.fromEntries((await this.peers()).map(({ name, established }) => [name, established]));
  }

  #write(file: SpeakerFile): void {
    const { base, ipv4 } = this.station;
    // JSON is YAML.
    writeFileSync(`${base}.yaml`, JSON.stringify({ routerID: ipv4, api: { socket: `${base}.sock` }, ...file }));
  }

  #ask(path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: `${this.station.base}.sock`, path, timeout: 10_000 }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (part: string) => (body += part));
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve(JSON.parse(body));
          else reject(new Error(`${path}: HTTP ${answer.statusCode}: ${body}`));
        });
      });
      asked.on("timeout", () => asked.destroy(new Error(`${path}: no answer`)));
      asked.on("error", reject);
      asked.end();
    });
  }
}
