/**
 * Running a command to its end, in the root namespace or inside one of the lab's.
 *
 * Children get a session of their own: a Ctrl-C at the terminal reaches the lab alone, which then decides what stops
 * when. Otherwise the `ip` that is just cleaning up would be interrupted too.
 */
import { spawn } from "node:child_process";
import { netnsPath } from "./paths.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface CommandOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export class CommandFailed extends Error {
  readonly code = "COMMAND_FAILED";
  readonly finished: Finished;
  constructor(command: readonly string[], finished: Finished) {
    const said = (finished.stderr.trim() || finished.stdout.trim() || "it said nothing").slice(0, 2000);
    super(`${command.join(" ")}: exit code ${finished.code}: ${said}`);
    this.finished = finished;
  }
}

/**
 * The command as it must be started to run in a network namespace; only the network differs, files stay where they
 * are.
 */
export const inside = (netns: string, command: readonly string[]): string[] => [
  "nsenter",
  `--net=${netnsPath(netns)}`,
  "--",
  ...command,
];

/** Runs to the end; a command that cannot be started or is stopped by the time limit ends with code 127 or 124. */
export function run(command: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  const [file = "", ...args] = command;
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.environment },
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? 30_000);
    const end = (code: number, note = "") => {
      clearTimeout(limit);
      const milliseconds = performance.now() - started;
      resolve({ code, stdout: text(stdout), stderr: `${text(stderr)}${note}`, milliseconds });
    };
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A command that ends without reading its input closes the pipe: its exit code says what happened.
    child.stdin.on("error", () => {});
    child.on("error", (error) => end(127, error.message));
    child.on("close", (code, signal) => {
      if (late) end(124, `stopped after ${options.timeoutMs ?? 30_000} ms`);
      else end(code ?? 128, signal === null ? "" : `ended by ${signal}`);
    });
    child.stdin.end(options.input ?? "");
  });
}

/** Like `run`, but a failure is thrown. */
export async function must(command: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  const finished = await run(command, options);
  if (finished.code !== 0) throw new CommandFailed(command, finished);
  return finished;
}

const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString("utf8");
