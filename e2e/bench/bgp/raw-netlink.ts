/** The rate at which the kernel takes the routes of a scenario from one netlink socket: the floor for all speakers. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { peersOf } from "./addresses.ts";
import { Arena, enter, INTERFACE } from "./arena.ts";
import type { Outcome } from "./job.ts";
import { asLines } from "./kernel-routes.ts";
import { machineCpu } from "./processes.ts";
import { Routes } from "./routes.ts";
import { manners, type Terms } from "./run.ts";
import type { Scenario } from "./scenarios.ts";

export const RAW_NETLINK = "raw-netlink";

export async function measureRawNetlink(scenario: Scenario, terms: Terms): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-bgp-"));
  const arena = new Arena();
  try {
    const program = join(folder, RAW_NETLINK);
    execFileSync("gcc", ["-O2", "-Wall", "-o", program, join(import.meta.dirname, `${RAW_NETLINK}.c`)]);
    arena.build();
    const routes = new Routes(scenario, terms.seed);
    const [sender] = peersOf(scenario);
    const before = machineCpu().busy;
    const began = performance.now();
    const run = promisify(execFile)(...enter(arena.device, [...manners(terms), program, INTERFACE]));
    run.child.stdin?.end(asLines(routes, sender?.address ?? ""));
    const time = Number((await run).stdout);
    // Making the lines, reading them and adding the routes is the work of little more than one CPU.
    const noise = (machineCpu().busy - before) / ((performance.now() - began) / 1000) - 1.1;
    return { time, noise: Math.max(0, noise) };
  } catch (error) {
    return { wrong: (error as Error).message };
  } finally {
    arena.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
