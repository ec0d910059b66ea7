/** For tests: `overland speaker` and real BIRD 2, each a process in a network namespace of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeTestNetns, removeTestNetns, type TestNetns, until } from "../kernel/testing.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
/** A busy machine takes its time to start a program, and a session to come up. */
export const PATIENCE_MS = 15_000;
const POLL_MS = 50;

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Route {
  readonly prefix: string;
  readonly best: boolean;
  readonly peer: string;
  readonly nextHop: string;
  readonly installed: boolean;
  readonly stale: boolean;
}

/** Processes, files and namespaces of one test; {@link remove} takes all of it away. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "ovt-speaker-"));
  readonly #namespaces: TestNetns[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #birds: TestBird[] = [];

  /** What each BIRD said. */
  get birds(): string[] {
    return this.#birds.map(({ said }) => said);
  }

  netns(): TestNetns {
    const made = makeTestNetns();
    this.#namespaces.push(made);
    return made;
  }

  file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text);
    return path;
  }

  spawn(netns: TestNetns, command: string, args: readonly string[]): ChildProcess {
    const child = spawn("ip", ["netns", "exec", netns.name, command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    return child;
  }

  speaker(netns: TestNetns, config: string): TestSpeaker {
    return new TestSpeaker(this, netns, config);
  }

  bird(netns: TestNetns, config: string): TestBird {
    const bird = new TestBird(this, netns, config);
    this.#birds.push(bird);
    return bird;
  }

  async remove(): Promise<void> {
    const running = this.#children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const gone = running.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(gone);
    for (const netns of this.#namespaces) removeTestNetns(netns);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

let count = 0;

export class TestSpeaker {
  readonly log: LogLine[] = [];
  readonly socket: string;
  readonly #bench: Bench;
  readonly #file: string;
  readonly #child: ChildProcess;
  /** What it wrote that is no line of its log. */
  said = "";
  exitCode: number | null = null;

  /** The socket is added to the configuration. */
  constructor(bench: Bench, netns: TestNetns, config: string) {
    this.#bench = bench;
    const name = `speaker${count++}`;
    this.socket = join(bench.directory, `${name}.sock`);
    this.#file = `${name}.yaml`;
    const path = bench.file(this.#file, this.#complete(config));
    this.#child = bench.spawn(netns, process.execPath, ["--no-warnings", MAIN, "speaker", "--config", path]);
    let rest = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) this.#hear(line);
    });
    this.#child.on("exit", (code) => {
      this.exitCode = code;
    });
  }

  /** Writes the configuration anew and sends SIGHUP; resolves when it has been taken, or refused. */
  async reload(config: string): Promise<void> {
    const before = this.log.length;
    this.#bench.file(this.#file, this.#complete(config));
    this.#child.kill("SIGHUP");
    const outcome = /the configuration (was read again|stays as it was)/;
    await this.until("it is read", () => this.log.slice(before).some(({ message }) => outcome.test(message)));
  }

  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    await until("the speaker ends", () => this.#child.exitCode !== null || this.#child.signalCode !== null, 8000);
    return this.#child.exitCode;
  }

  /** Sessions that came up, by the name of the peer, in order. */
  get established(): unknown[] {
    return this.log.filter(({ message }) => message === "session Established").map(({ peer }) => peer);
  }

  async whenEstablished(...peers: string[]): Promise<void> {
    await this.until(`sessions with ${peers.join(", ")}`, () => peers.every((peer) => this.established.includes(peer)));
  }

  /** Waits until the condition holds; a failure shows what the speaker said. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const said = () =>
      [this.said, ...this.log.slice(-30).map((line) => JSON.stringify(line)), ...this.#bench.birds].join("\n");
    await until(what, condition, PATIENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${said()}`);
    });
  }

  /** Waits until the routes are as wanted. */
  async untilRoutes(what: string, wanted: (routes: readonly Route[]) => boolean): Promise<void> {
    for (let left = PATIENCE_MS; left > 0; left -= POLL_MS) {
      // The socket may not be there yet.
      const routes = await this.routes().catch(() => undefined);
      if (routes !== undefined && wanted(routes)) return;
      await sleep(POLL_MS);
    }
    await this.until(`${what} in ${JSON.stringify(await this.routes())}`, () => false);
  }

  async routes(): Promise<Route[]> {
    return ((await this.ask("/v1/routes")) as { routes: Route[] }).routes;
  }

  ask(path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.socket, path }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (part: string) => (body += part));
        answer.on("end", () => resolve(JSON.parse(body)));
      });
      asked.on("error", reject).end();
    });
  }

  #complete(config: string): string {
    return config.includes("api:") ? config : `${config}\napi: {socket: ${this.socket}}\n`;
  }

  #hear(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.said += `${line}\n`;
    }
  }
}

export class TestBird {
  readonly #control: string;
  said = "";

  constructor(bench: Bench, netns: TestNetns, config: string) {
    const name = `bird${count++}`;
    this.#control = join(bench.directory, `${name}.ctl`);
    const path = bench.file(`${name}.conf`, `log stderr all;\nprotocol device {}\n${config}`);
    const child = bench.spawn(netns, "bird", ["-f", "-c", path, "-s", this.#control]);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.said += text));
  }

  ask(command: string): string {
    try {
      return execFileSync("birdc", ["-r", "-s", this.#control, ...command.split(" ")], {
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (error) {
      return String((error as { stderr?: string }).stderr);
    }
  }

  /** Waits until the answer has the text in it. */
  async shows(command: string, text: string | RegExp): Promise<void> {
    const has = () => (typeof text === "string" ? this.ask(command).includes(text) : text.test(this.ask(command)));
    try {
      await until("", has, PATIENCE_MS);
    } catch {
      throw new Error(`"${command}" does not show ${text}: ${this.ask(command)}\n${this.said}`);
    }
  }
}
