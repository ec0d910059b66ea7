/**
 * Commands run to their end, on the machine or inside one of a lab's network namespaces. Nothing here throws but
 * `must`.
 */
import { spawn } from "node:child_process";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  /** Name of a network namespace; absent: the machine's own. */
  readonly netns?: string | undefined;
  readonly input?: string | Uint8Array;
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Only the network is another one; files and processes are the machine's. */
export const inside = (netns: string, command: readonly string[]): string[] => [
  "nsenter",
  `--net=/run/netns/${netns}`,
  "--",
  ...command,
];

/** Exit code 124 when it took too long (default 30 s), 127 when it could not be started, 128 when a signal ended it. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [file = "", ...args] = options.netns === undefined ? command : inside(options.netns, command);
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(file, args, { env: { ...process.env, ...options.environment } });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? 30_000);
    const end = (code: number, note = "") => {
      clearTimeout(limit);
      const said = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() + note };
      resolve({ code, ...said, milliseconds: performance.now() - started });
    };
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A program that ends without reading its input closes the pipe; its exit code says what happened.
    child.stdin.on("error", () => {});
    child.on("error", (error) => end(127, error.message));
    child.on("close", (code) => (late ? end(124, "took too long") : end(code ?? 128)));
    child.stdin.end(options.input ?? "");
  });
}

/** Gives standard output; throws with what the command said when its exit code is not 0. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code === 0) return stdout;
  throw new Error(`${command.join(" ")}: exit code ${code}: ${(stderr.trim() || stdout.trim()).slice(0, 2000)}`);
}
