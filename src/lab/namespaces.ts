/** Makes and removes network namespaces, through `ip` and /proc/sys. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { inside, must, run } from "./command.ts";
import { NETNS_ROOT, netnsPath } from "./paths.ts";
import { type LabPlan, namespacePrefix } from "./topology.ts";
import { cableLines, kernelSettings, namespaceLines, namespaceWork } from "./wiring.ts";

/** Namespaces, kernel settings, cables, addresses: in that order, because settings hold for links made later. */
export async function buildNamespaces(plan: LabPlan): Promise<void> {
  const work = namespaceWork(plan);
  await batch([], namespaceLines(plan));
  await Promise.all(work.map(({ netns, forwarding }) => applySettings(netns, forwarding)));
  await batch([], cableLines(plan));
  await Promise.all(work.map(({ netns, lines }) => batch(["-n", netns], lines)));
}

/** A bare namespace as a container runtime hands it to a CNI plugin: nothing in it but the loopback, up. */
export async function addPodNamespace(netns: string): Promise<void> {
  await must(["ip", "netns", "add", netns]);
  await must(["ip", "-n", netns, "link", "set", "lo", "up"]);
}

/** Deletes what is there and is content when nothing is. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await run(["ip", "-force", "-batch", "-"], { input: names.map((name) => `netns del ${name}\n`).join("") });
  // Left over when `ip netns add` was killed between making the file and mounting on it.
  for (const name of names) rmSync(netnsPath(name), { force: true });
}

/** Names of this lab's namespaces that exist now. */
export function existingNamespaces(lab: string): string[] {
  const prefix = namespacePrefix(lab);
  try {
    return readdirSync(NETNS_ROOT).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** What /proc/PID/ns/net points to for a process inside: the namespace's inode number. */
export function namespaceInode(netns: string): number | undefined {
  try {
    return statSync(netnsPath(netns)).ino;
  } catch {
    return undefined;
  }
}

async function applySettings(netns: string, forwarding: boolean): Promise<void> {
  const lines = kernelSettings(forwarding).map(([key, value]) => `echo ${value} > /proc/sys/${key}`);
  // /proc/sys/net shows the namespace of whoever opens it, so a shell inside is all it takes.
  await must(inside(netns, ["sh", "-e"]), { input: `${lines.join("\n")}\n` });
}

const batch = (options: readonly string[], lines: readonly string[]) =>
  must(["ip", ...options, "-batch", "-"], { input: `${lines.join("\n")}\n` });
