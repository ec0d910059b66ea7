/**
 * Routes in the kernel of the device's namespace: how many, cheaply; and whether they are the right ones, at leisure.
 *
 * The count is a line of /proc/net/fib_triestat, for which the kernel walks its table without a lock and without
 * printing it. The closer to the goal the oftener it is read, and never more than an eighth of the time.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { toNumber, toText } from "./addresses.ts";
import type { Routes } from "./routes.ts";

const MOST_PAUSE_MS = 100;
const LEAST_PAUSE_MS = 5;

/** Prefixes in the main table of the namespace in which this process lives. */
export function countRoutes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/net/fib_triestat`, "utf8");
  return Number(/Main:[^]*?Prefixes:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN);
}

/** The time (performance.now()) at which the count reached the goal; undefined at the deadline. */
export async function untilCount(pid: number, goal: number, deadline: number): Promise<number | undefined> {
  let [lastTime, lastCount] = [performance.now(), countRoutes(pid)];
  let pause = MOST_PAUSE_MS;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const began = performance.now();
    const count = countRoutes(pid);
    const now = performance.now();
    if (count === goal) return now;
    if (now > deadline) return undefined;
    const rate = Math.abs(count - lastCount) / (now - lastTime);
    const expected = rate > 0 ? Math.abs(goal - count) / rate : MOST_PAUSE_MS;
    pause = Math.max(LEAST_PAUSE_MS, (now - began) * 7, Math.min(MOST_PAUSE_MS, expected / 2));
    [lastTime, lastCount] = [now, count];
  }
}

/** Reads the whole table and says what is wrong with it, in words; undefined: nothing. */
export async function auditRoutes(
  netns: string,
  routes: Routes,
  senders: readonly string[],
): Promise<string | undefined> {
  const child = spawn("ip", ["-4", "-n", netns, "route", "show", "table", "main"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const shortest = routes.shortest(0);
  const senderOf = new Map(senders.map((address, number) => [address, number]));
  let right = 0;
  let example = "";
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address, length, gateway] = /^([\d.]+)(?:\/(\d+))? .*?via ([\d.]+)/.exec(line) ?? [];
    if (address === undefined) continue;
    const prefix = routes.index.get(toNumber(address), Number(length ?? 32));
    const hops = prefix < 0 ? -1 : routes.hops(senderOf.get(gateway ?? "") ?? -1, routes.setOf[prefix] as number);
    if (prefix >= 0 && hops === shortest[prefix]) right++;
    else example = line;
  }
  if (right === routes.count && example === "") return undefined;
  const missing = `${right} of ${routes.count} prefixes are in the kernel with the right gateway`;
  return example === "" ? missing : `${missing}; wrong: ${example}`;
}

/** Prefix, length and gateway for the raw kernel rate: what a batch of `ip` would be told. */
export function asLines(routes: Routes, gateway: string): string {
  const lines: string[] = [];
  for (let i = 0; i < routes.count; i++) {
    lines.push(`${toText(routes.addresses[i] as number)}/${routes.lengths[i]} ${gateway}`);
  }
  return `${lines.join("\n")}\n`;
}
