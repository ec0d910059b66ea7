/** A thousand pods as a busy runtime has them: many sandboxes made at once, many calls of the plugin in flight. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NodeStatus } from "../../src/lab/status.ts";
import { type CniAnswer, cniEnvironment, imaginarySandbox, networkConfiguration, type Sandbox } from "./cni.ts";
import { must } from "./command.ts";
import { PLUGIN } from "./program.ts";

/** In one process: one for each would take longer than the storm. */
export async function newSandboxes(lab: string, names: readonly string[]): Promise<Sandbox[]> {
  const sandboxes = names.map((name) => imaginarySandbox(lab, name));
  await batch(sandboxes.map(({ netns }) => `netns add ${netns}`));
  return sandboxes;
}

export const removeSandboxes = (sandboxes: readonly Sandbox[]): Promise<string> =>
  batch(sandboxes.map(({ netns }) => `netns del ${netns}`));

const batch = (lines: readonly string[]): Promise<string> =>
  must(["ip", "-batch", "-"], { input: `${lines.join("\n")}\n`, timeoutMs: 60_000 });

/**
 * As `cni` does, but without a process around the plugin that enters the node's namespace: on a real node the runtime
 * executes the plugin itself, and the plugin needs no network.
 */
export function call(command: "ADD" | "DEL" | "CHECK", node: NodeStatus, sandbox: Sandbox): Promise<CniAnswer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(PLUGIN, [], { env: cniEnvironment(command, sandbox), stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.on("error", reject);
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.on("close", (code) => resolve({ code: code ?? 128, stdout, milliseconds: performance.now() - started }));
    child.stdin.end(networkConfiguration(node));
  });
}

/** Calls `work` for each, so many at a time; `after` runs beside them when its number of them is done. */
export async function inFlight<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<void>,
  after: Readonly<Record<number, () => Promise<void>>> = {},
): Promise<void> {
  const beside: Promise<void>[] = [];
  let [next, done] = [0, 0];
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      await work(items[index] as T, index);
      const event = after[++done];
      if (event !== undefined) beside.push(event());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  await Promise.all(beside);
}

/** What the agent has written down of its pods, by container. */
export const attachments = ({ socket }: NodeStatus): string[] =>
  readdirSync(join(dirname(socket), "attachments"))
    .filter((name) => name.endsWith(".json"))
    .sort();

/** DELs that were answered and are not finished. */
export const pendingDeletes = ({ stateDir }: NodeStatus): string[] => readdirSync(`${stateDir}/pending-del`).sort();
