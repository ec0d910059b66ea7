/** Composes `overland controller`: the work that needs to see the whole cluster, done by one process at a time. */
import { setTimeout as sleep } from "node:timers/promises";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import type { Store } from "../../ipam/store.ts";
import { openCluster } from "../cluster/open.ts";
import type { Cluster } from "../cluster/port.ts";
import type { EtcdConfig, KubernetesConfig } from "../config/agent-config.ts";
import { type Level, type Log, openLog } from "../telemetry/log.ts";
import { DepartedNodes, type Look } from "./departed-nodes.ts";
import { Leadership, usualTerms } from "./leader.ts";

export interface ControllerConfig {
  readonly etcd: EtcdConfig;
  /** Undefined: without Kubernetes. */
  readonly kubernetes?: KubernetesConfig;
  readonly logLevel: Level;
  /** How long a Node must be gone before what it held is taken back, in milliseconds. */
  readonly graceMs: number;
  readonly intervalMs: number;
}

export interface Controller {
  stop(): Promise<void>;
}

export function startController(config: ControllerConfig): Controller {
  const log = openLog({ level: config.logLevel });
  log.info("overland controller starts", { pid: process.pid, node_version: process.version });
  const store = openEtcdStore(config.etcd);
  const cluster = clusterOf(config, log);
  const stopping = new AbortController();
  const running = run(config, store, log, stopping.signal);
  return {
    async stop() {
      log.info("overland controller stops");
      stopping.abort();
      await running;
      cluster?.close();
      await store.close();
      await log.close();
    },
  };
}

function clusterOf({ kubernetes }: ControllerConfig, log: Log): Cluster | undefined {
  return kubernetes && openCluster({ ...kubernetes, warn: (message, about) => log.warn(message, about) });
}

async function run(config: ControllerConfig, store: Store, log: Log, stopping: AbortSignal): Promise<void> {
  const leader = new Leadership(store);
  let nodes = new DepartedNodes(store, leader, log, config.graceMs);
  let lookedAt: number | undefined;
  while (!stopping.aborted) {
    const now = performance.now();
    const led = leader.leads;
    try {
      await leader.beat(now);
      if (leader.leads !== led) {
        log.info(leader.leads ? "this controller is the active one" : "another controller is active", {
          other: leader.other,
        });
        // Who was not watching all the while has seen nothing twice.
        nodes = new DepartedNodes(store, leader, log, config.graceMs);
        lookedAt = undefined;
      }
      if (leader.leads && (lookedAt === undefined || now - lookedAt >= config.intervalMs)) {
        lookedAt = now;
        await nodes.look(now);
      }
    } catch (error) {
      log.warn("etcd cannot be used; tried again", { error });
    }
    await sleep(Math.min(usualTerms.beatMs, config.intervalMs), undefined, { signal: stopping }).catch(() => {});
  }
  await leader.resign().catch((error: unknown) => log.warn("the lock cannot be given up; it expires", { error }));
}

/** Looks, waits for the grace time, looks again and acts. Undefined: another controller is active, and does it. */
export async function lookOnce(
  store: Store,
  log: Log,
  graceMs: number,
): Promise<{ readonly look: Look } | { readonly active: string }> {
  const leader = new Leadership(store);
  const started = performance.now();
  while (!leader.leads) {
    await leader.beat(performance.now());
    const waited = performance.now() - started;
    if (leader.leads) break;
    if (leader.otherLives || waited > usualTerms.expiryMs + usualTerms.beatMs)
      return { active: leader.other ?? "unknown" };
    await sleep(500);
  }
  try {
    const nodes = new DepartedNodes(store, leader, log, graceMs);
    const first = await nodes.look(performance.now());
    if (first.departed.length === 0) return { look: first };
    for (const end = performance.now() + graceMs; performance.now() < end; ) {
      await sleep(Math.max(1, Math.min(usualTerms.beatMs, end - performance.now())));
      await leader.beat(performance.now());
    }
    return { look: { ...(await nodes.look(performance.now())), findings: first.findings } };
  } finally {
    await leader.resign().catch(() => undefined);
  }
}
