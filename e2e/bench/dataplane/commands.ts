/** Commands and daemons in network namespaces; none outlives the benchmark, however that ends. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Interrupted } from "../ending.ts";

export interface Options {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Until it is killed. */
  readonly seconds?: number;
}

interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PREFIX = "ovt-dp";
const STOP_MS = 5000;
const READY_SECONDS = 30;
const LOG_LINES = 10;

export class Commands {
  readonly #folder: string;
  readonly #netns: string[] = [];
  readonly #daemons: ChildProcess[] = [];
  #current: ChildProcess | undefined;
  #interrupted = false;

  /** Logs are written to the folder. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  netns(name: string): string {
    const netns = `${PREFIX}${process.pid}-${name}`;
    execFileSync("ip", ["netns", "add", netns]);
    this.#netns.push(netns);
    this.ip(netns, "link set lo up");
    return netns;
  }

  /** Lines of `ip -batch`; throws with iproute2's words at the first that fails. */
  ip(netns: string, lines: string): void {
    execFileSync("ip", ["-n", netns, "-batch", "-"], { input: `${lines}\n`, stdio: ["pipe", "ignore", "pipe"] });
  }

  bridge(netns: string, args: readonly string[]): void {
    execFileSync("bridge", ["-n", netns, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  }

  /** Throws {@link Interrupted} when {@link interrupt} was called meanwhile. */
  async run(netns: string, command: readonly string[], options: Options = {}): Promise<Ending> {
    this.#checkInterrupted();
    const child = spawn(...inside(netns, command), {
      env: { PATH: process.env["PATH"], ...options.environment },
      timeout: (options.seconds ?? READY_SECONDS) * 1000,
      killSignal: "SIGKILL",
      detached: true,
    });
    this.#current = child;
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (part: string) => {
        text[name] += part;
      });
    }
    child.stdin.on("error", () => undefined).end(options.input);
    const code = await new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject));
    this.#current = undefined;
    this.#checkInterrupted();
    return { code, ...text };
  }

  /** Standard output of a command that has to succeed. */
  async must(netns: string, command: readonly string[], options: Options = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(netns, command, options);
    if (code === 0) return stdout;
    throw new Error(`${command.join(" ")}: ${code === null ? "killed" : `exit code ${code}`}: ${stdout}${stderr}`);
  }

  /** Again and again until it succeeds; throws with the last lines of the daemon's log. */
  async until(netns: string, daemon: string, command: readonly string[], options: Options = {}): Promise<void> {
    const deadline = Date.now() + READY_SECONDS * 1000;
    for (;;) {
      const { code, stdout, stderr } = await this.run(netns, command, options);
      if (code === 0) return;
      if (Date.now() > deadline) {
        const words = readFileSync(this.#log(daemon), "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");
        throw new Error(`${command.join(" ")}: not in ${READY_SECONDS} s: ${stdout}${stderr}\n${words}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  start(netns: string, name: string, command: readonly string[]): void {
    const log = openSync(this.#log(name), "a");
    const stdio = ["ignore", log, log] as const;
    this.#daemons.push(spawn(...inside(netns, command), { stdio: [...stdio], detached: true }));
    closeSync(log);
  }

  interrupt(): void {
    this.#interrupted = true;
    this.#current?.kill("SIGKILL");
  }

  /** The last started ends first, and namespaces go last. */
  async close(): Promise<void> {
    this.#current?.kill("SIGKILL");
    for (const daemon of this.#daemons.reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const gone = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill("SIGTERM");
      const force = setTimeout(() => daemon.kill("SIGKILL"), STOP_MS);
      await gone;
      clearTimeout(force);
    }
    for (const netns of this.#netns) spawnSync("ip", ["netns", "del", netns]);
  }

  #log(name: string): string {
    return join(this.#folder, `${name}.log`);
  }

  #checkInterrupted(): void {
    if (this.#interrupted) throw new Interrupted("interrupted");
  }
}

/** Should the benchmark be killed, the kernel kills the command. */
function inside(netns: string, command: readonly string[]): [string, string[]] {
  return ["setpriv", ["--pdeathsig", "KILL", "nsenter", `--net=/run/netns/${netns}`, ...command]];
}

/** Of this run, for its logs and sockets; named so that {@link removeLeftovers} knows it. */
export const newFolder = (): string => mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));

/** Takes away what a benchmark left that was killed and could not do it. */
export function removeLeftovers(): void {
  for (const netns of leftIn("/run/netns")) spawnSync("ip", ["netns", "del", netns]);
  for (const folder of leftIn(tmpdir())) rmSync(join(tmpdir(), folder), { recursive: true, force: true });
}

function leftIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
}
