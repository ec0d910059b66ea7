/** BIRD 2 at a station. */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { must } from "../harness/command.ts";
import { eventually } from "../harness/wait.ts";
import { ended, type Segment, type Station } from "./segment.ts";

export class Bird {
  readonly station: Station;
  readonly #segment: Segment;
  #process: ChildProcess | undefined;

  constructor(segment: Segment, station: Station) {
    this.#segment = segment;
    this.station = station;
  }

  /** The file without router id and device protocol; without one: with the one it had. */
  async start(file?: string, ...options: readonly string[]): Promise<void> {
    if (file !== undefined) this.#write(file);
    const { base } = this.station;
    const place = ["-c", `${base}.conf`, "-s", `${base}.ctl`, "-P", `${base}.pid`];
    this.#process = this.#segment.start(this.station, ["bird", "-f", ...options, ...place]);
    await eventually(`BIRD of ${base} answers`, 30, async () => {
      if (this.#process?.exitCode === null) return (await this.ask("show status")) !== "";
      throw new Error(this.#segment.logOf(this.station));
    });
  }

  async configure(file: string): Promise<void> {
    this.#write(file);
    await this.ask("configure");
  }

  /** As `birdc` is asked. */
  ask(words: string): Promise<string> {
    return must(["birdc", "-s", `${this.station.base}.ctl`, words], { timeoutMs: 20_000 });
  }

  /** Everything about the routes of a prefix. */
  routes(prefix: string, where = ""): Promise<string> {
    return this.ask(`show route ${prefix} all ${where}`).catch((error: Error) => {
      if (error.message.includes("not found")) return "";
      throw error;
    });
  }

  /** How many routes of a table are there, e.g. of those `where proto = "hub"`. */
  async count(table: "master4" | "master6", where = ""): Promise<number> {
    const said = await this.ask(`show route table ${table} ${where} count`);
    return Number(/^(\d+) of/m.exec(said)?.[1]);
  }

  async established(protocol: string, seconds = 30): Promise<void> {
    await eventually(`BIRD's session ${protocol} is Established`, seconds, async () => {
      return /BGP state:\s+Established/.test(await this.ask(`show protocols all ${protocol}`));
    });
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.#process?.pid as number, name);
  }

  async end(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    if (this.#process !== undefined) await ended(this.#process, signal);
  }

  #write(file: string): void {
    const { base, ipv4 } = this.station;
    writeFileSync(`${base}.conf`, `router id ${ipv4};\nlog stderr all;\nprotocol device {}\n${file}`);
  }
}
