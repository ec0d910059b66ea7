/** Composes `overland controller`: the work that needs to see the whole cluster. */
import { setTimeout as sleep } from "node:timers/promises";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import type { Store } from "../../ipam/store.ts";
import { serveHttp } from "../api/server.ts";
import { openCluster } from "../cluster/open.ts";
import type { Cluster } from "../cluster/port.ts";
import type { EtcdConfig, KubernetesConfig } from "../config/agent-config.ts";
import { type Level, type Log, openLog } from "../telemetry/log.ts";
import { ActiveController } from "./active.ts";
import { controllerRoutes } from "./controller-routes.ts";
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
  /** Where health and metrics are served; undefined: nowhere. `given`: somebody asked for this very address. */
  readonly http: { readonly host: string; readonly port: number; readonly given: boolean } | undefined;
  readonly version: string;
}

export interface Controller {
  stop(): Promise<void>;
}

export async function startController(config: ControllerConfig): Promise<Controller> {
  const log = openLog({ level: config.logLevel });
  log.info("overland controller starts", { pid: process.pid, node_version: process.version });
  const store = openEtcdStore(config.etcd);
  const cluster = clusterOf(config, log);
  const active = new ActiveController(config, store, cluster, log);
  const server = await serve(config, active, log);
  return {
    async stop() {
      log.info("overland controller stops");
      server?.closeAllConnections();
      server?.close();
      await active.stop();
      cluster?.close();
      await store.close();
      await log.close();
    },
  };
}

function clusterOf({ kubernetes }: ControllerConfig, log: Log): Cluster | undefined {
  return kubernetes && openCluster({ ...kubernetes, warn: (message, about) => log.warn(message, about) });
}

/** An address that nobody asked for is no reason not to start: another controller of this machine may have it. */
async function serve({ http, version }: ControllerConfig, active: ActiveController, log: Log) {
  if (http === undefined) return undefined;
  try {
    return await serveHttp(http.host, http.port, controllerRoutes(active, version));
  } catch (error) {
    if (http.given) throw error;
    log.warn("health and metrics are not served", { error });
    return undefined;
  }
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
