/**
 * Kubernetes Nodes that were deleted: their Node resources in etcd go too, after the grace time and another look at the
 * API server. Only those that say they are Kubernetes nodes: agents on bare machines answer to nobody's API server.
 */
import type { Store } from "../../ipam/store.ts";
import { Suspects } from "../../ipam/suspects.ts";
import { type Cluster, NODES, type Watch } from "../cluster/port.ts";
import { kindRoot } from "../config/resource-keys.ts";
import type { Log } from "../telemetry/log.ts";
import type { Fence } from "./leader.ts";
import { WatchHealth } from "./watch-health.ts";

/** On a Node resource: UID of the Kubernetes Node it was registered for. */
const KUBERNETES_NODE = "overland.dev/kubernetes-node";
/** So few may always go at once. */
const FEW = 2;

export class KubernetesNodes {
  readonly #cluster: Cluster;
  readonly #store: Store;
  readonly #leader: Fence;
  readonly #log: Log;
  readonly #graceMs: number;
  readonly #watch: Watch;
  readonly #health: WatchHealth;
  #present: Set<string> | undefined;
  #suspects = new Suspects();
  #held: string | undefined;

  constructor(cluster: Cluster, store: Store, leader: Fence, log: Log, graceMs: number) {
    this.#cluster = cluster;
    this.#store = store;
    this.#leader = leader;
    this.#log = log;
    this.#graceMs = graceMs;
    this.#health = new WatchHealth(log);
    const keep = () => true;
    this.#watch = cluster.watch({ type: NODES }, keep, {
      snapshot: (objects) => {
        this.#present = new Set(objects.keys());
      },
      change: (name, object) => {
        if (object === undefined) this.#present?.delete(name);
        else this.#present?.add(name);
      },
      health: this.#health.of("nodes"),
    });
  }

  stop(): void {
    this.#watch.stop();
    this.#health.stop();
  }

  /** Who was not acting all the while has seen nothing twice. */
  forget(): void {
    this.#suspects = new Suspects();
  }

  /** Why nothing is done about nodes that seem to be gone, in words; undefined: nothing is held back. */
  get heldBack(): string | undefined {
    return this.#held;
  }

  /**
   * Nodes whose resource was deleted now: they are gone for certain, after the grace time.
   *
   * @param now monotonic milliseconds. Throws StoreUnavailable and ClusterError
   */
  async look(now: number): Promise<string[]> {
    // What an API server that cannot be reached does not say is no sign of anything.
    if (!this.#watch.synced || this.#present === undefined) return [];
    const { entries } = await this.#store.list(kindRoot("Node"));
    const marked = entries.flatMap(({ key, value, modRevision }) =>
      isKubernetesNode(value) ? [{ id: key.slice(kindRoot("Node").length), key, modRevision }] : [],
    );
    const missing = marked.filter(({ id }) => this.#present?.has(id) === false);
    this.#hold(missing.length, marked.length);
    if (this.#held !== undefined) return [];
    const certain = this.#suspects.look(missing, now, this.#graceMs);
    const gone: string[] = [];
    for (const { id, key, modRevision } of certain) {
      if ((await this.#cluster.get({ type: NODES, name: id })) !== undefined) continue;
      const transaction = { expect: [{ key, modRevision }], put: [], delete: [key] };
      if (!(await this.#leader.commit(transaction))) continue;
      this.#log.warn("a node was deleted from Kubernetes; its Node resource is deleted", { node: id });
      gone.push(id);
    }
    return gone;
  }

  /** Most nodes gone at once are not gone: this is another API server, or one that was restored without them. */
  #hold(missing: number, marked: number): void {
    const most = missing > FEW && missing * 2 > marked;
    const before = this.#held;
    this.#held = most
      ? `${missing} of ${marked} nodes are not in Kubernetes: too many at once to be believed; if they are gone ` +
        "indeed, `overland delete node NAME...`"
      : undefined;
    if (this.#held === before) return;
    if (this.#held !== undefined)
      this.#log.error("nodes are missing in Kubernetes; nothing is done", { why: this.#held });
    this.#suspects = new Suspects();
  }
}

/** Read for this alone: of thousands of nodes, every minute. */
function isKubernetesNode(value: string): boolean {
  try {
    const { metadata } = JSON.parse(value) as { metadata?: { annotations?: Record<string, unknown> } };
    return typeof metadata?.annotations?.[KUBERNETES_NODE] === "string";
  } catch {
    return false;
  }
}
