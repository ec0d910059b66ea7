/** Watching the network come to rest: sessions up at agents and routers, blocks claimed, their routes at every ToR. */
import { readFileSync } from "node:fs";
import { type AgentStatus, agentLog, agentRuns, agentStatus, isEstablished } from "./agents.ts";
import { type Lab, labName } from "./lab.ts";
import { count } from "./progress.ts";
import { routerRoutes, routerSessions } from "./router.ts";
import type { NodePlan, RouterPlan } from "./topology.ts";
import { Fatal, pause, until } from "./wait.ts";

const SETTLE_TIMEOUT_MS = 60_000;

/** The sessions between ToRs: a datacenter's fabric is there before its nodes are. */
export async function awaitFabric(lab: Lab, told: Set<string>): Promise<void> {
  const between = new Set(lab.plan.routers.map((router) => router.name));
  await Promise.all(lab.plan.routers.map((router) => routerSettled(lab, router, told, (peer) => between.has(peer))));
}

/** Every session of every router and every agent; each is told when it comes up, but for those told before. */
export async function awaitSessions(lab: Lab, told: Set<string>): Promise<void> {
  const results = await Promise.all([
    ...lab.plan.routers.map((router) => routerSettled(lab, router, told, () => true)),
    ...lab.plan.nodes.map((node) => agentSettled(lab, node)),
  ]);
  lab.progress.say("sessions", `${results.reduce((sum, up) => sum + up, 0)} ends established, at routers and agents`);
}

function routerSettled(
  lab: Lab,
  router: RouterPlan,
  told: Set<string>,
  counts: (peer: string) => boolean,
): Promise<number> {
  return until(
    async () => {
      const all = await routerSessions(labName(lab), router);
      const wanted = all.filter((session) => counts(session.peer));
      for (const session of wanted) {
        const key = `${router.name} ${session.peer}`;
        if (!session.established || told.has(key)) continue;
        told.add(key);
        lab.progress.say("session", `${router.name} ↔ ${session.peer} established`);
      }
      return all.length > 0 && wanted.every((session) => session.established) ? wanted.length : undefined;
    },
    { what: `all BGP sessions of ${router.name}`, timeoutMs: SETTLE_TIMEOUT_MS, signal: lab.signal, intervalMs: 200 },
  );
}

/** Its ToR and the mesh to every other node. */
export function agentSettled(lab: Lab, node: NodePlan): Promise<number> {
  const wanted = lab.plan.nodes.length;
  let reason = "no answer on its socket";
  return until(
    async () => {
      if (!agentRuns(labName(lab), node.name)) throw new Fatal(agentEnded(lab, node));
      const status = await agentStatus(labName(lab), node.name);
      const up = status.peers.filter(isEstablished).length;
      reason = `${up} of ${wanted} sessions, ${status.ready ? "ready" : `not ready: ${status.notReady.join(", ")}`}`;
      if (up >= wanted && status.ready) return up;
      throw new Error(reason);
    },
    {
      what: `agent ${node.name} is ready with ${count(wanted, "session")}`,
      timeoutMs: SETTLE_TIMEOUT_MS,
      signal: lab.signal,
      intervalMs: 150,
    },
  );
}

function agentEnded(lab: Lab, node: NodePlan): string {
  const log = agentLog(labName(lab), node.name);
  const last = readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n");
  return `agent ${node.name} has ended; the end of its log:\n${last}`;
}

/** The blocks agents hold, and then every one of them in every ToR's table. */
export async function awaitBlocksAtRouters(lab: Lab): Promise<void> {
  if (lab.plan.size.podsPerNode === 0) return;
  const blocks = await claimedBlocks(lab);
  for (const [node, own] of blocks) lab.progress.say("block", `${node} claimed ${own.join(" ")}`);
  const all = [...blocks.values()].flat();
  await Promise.all(
    lab.plan.routers.map(async (router) => {
      await awaitRoutes(lab, router, all, SETTLE_TIMEOUT_MS);
      lab.progress.say("routes", `${router.name} has all ${all.length} pod blocks`);
    }),
  );
}

export async function claimedBlocks(lab: Lab): Promise<Map<string, readonly string[]>> {
  const statuses = lab.plan.nodes.map(async (node): Promise<[string, readonly string[]]> => {
    const status = await until(
      async () => {
        const answer: AgentStatus = await agentStatus(labName(lab), node.name);
        return answer.blocks.length > 0 ? answer : undefined;
      },
      { what: `${node.name} claims a block`, timeoutMs: 10_000, signal: lab.signal },
    );
    return [node.name, status.blocks];
  });
  return new Map(await Promise.all(statuses));
}

export function awaitRoutes(
  lab: Lab,
  router: RouterPlan,
  prefixes: readonly string[],
  timeoutMs: number,
): Promise<true> {
  return until(async () => ((await missingRoutes(lab, router, prefixes)).length === 0 ? true : undefined), {
    what: `routes to ${prefixes.join(" ")} at ${router.name}`,
    timeoutMs,
    signal: lab.signal,
    intervalMs: 100,
  });
}

/** Milliseconds until none of these prefixes is left at the router; undefined if some still is when time is up. */
export async function timeUntilGone(
  lab: Lab,
  router: RouterPlan,
  prefixes: readonly string[],
  timeoutMs: number,
): Promise<number | undefined> {
  const started = performance.now();
  while (performance.now() - started < timeoutMs && !lab.signal.aborted) {
    if ((await missingRoutes(lab, router, prefixes)).length === prefixes.length) return performance.now() - started;
    await pause(100, lab.signal);
  }
  return undefined;
}

export async function missingRoutes(lab: Lab, router: RouterPlan, prefixes: readonly string[]): Promise<string[]> {
  const present = new Set((await routerRoutes(labName(lab), router)).map((route) => route.prefix));
  return prefixes.filter((prefix) => !present.has(prefix));
}
