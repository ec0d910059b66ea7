/**
 * Which Kubernetes cluster the store belongs to: recorded by the first of its agents and controllers that comes, and
 * compared by all that come later. Two clusters on one etcd would take each other's nodes and resources for their own.
 *
 * A cluster is known by the uid of its namespace kube-system, as everywhere. Without Kubernetes nothing is asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isStoreUnavailable, type Store } from "../../ipam/store.ts";

export const CLUSTER_KEY = "/overland/v1/cluster";

const RETRY_MS = 5_000;
/** A start waits so long for the API server's answer; without it the node goes on as it was. */
const PATIENCE_MS = 3_000;

export interface ClaimedCluster {
  /** Of its namespace kube-system. */
  readonly uid: string;
  /** By whom and when, for people. */
  readonly by: string;
  readonly since: string;
}

export interface ClaimPorts {
  readonly store: Store;
  /** Who asks, for people. */
  readonly by: string;
  /** The uid; undefined: this API server has none. Rejects with why it cannot be told. */
  identity(): Promise<string | undefined>;
  /** Whether it is for want of a right, which no waiting gives. */
  isDenied(error: unknown): boolean;
  error(problem: string): void;
  readonly patienceMs?: number;
  readonly retryMs?: number;
}

/** What is recorded, from now on if nothing was. Throws StoreUnavailable. */
export async function claimCluster(store: Store, claim: ClaimedCluster): Promise<ClaimedCluster> {
  for (;;) {
    const recorded = await recordedCluster(store);
    if (recorded !== undefined) return recorded;
    const put = [{ key: CLUSTER_KEY, value: JSON.stringify(claim) }];
    const expect = [{ key: CLUSTER_KEY, modRevision: 0n }];
    if ((await store.commit({ expect, put, delete: [] })).committed) return claim;
  }
}

/** Undefined: the store is nobody's yet. Throws StoreUnavailable. */
export async function recordedCluster(store: Store): Promise<ClaimedCluster | undefined> {
  const [entry] = await store.get([CLUSTER_KEY]);
  if (entry === undefined) return undefined;
  const { uid, by, since } = recordIn(entry.value);
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : "unreadable");
  return { uid: text(uid), by: text(by), since: text(since) };
}

function recordIn(value: string): Partial<Record<keyof ClaimedCluster, unknown>> {
  try {
    const record: unknown = JSON.parse(value);
    return typeof record === "object" && record !== null ? record : {};
  } catch {
    return {};
  }
}

export class ClusterClaim {
  readonly #ports: ClaimPorts;
  #stopped = false;
  #again: NodeJS.Timeout | undefined;
  #wake: () => void = () => undefined;
  /** `free`: it is ours, or no identity can be had by waiting. */
  state: "not known" | "free" | "another's" = "not known";
  /** Why it is not known, or whose the store is, in words. */
  problem: string | undefined;

  constructor(ports: ClaimPorts) {
    this.#ports = ports;
  }

  get #retryMs(): number {
    return this.#ports.retryMs ?? RETRY_MS;
  }

  /** One attempt. Rejects with StoreUnavailable alone. */
  async look(): Promise<void> {
    const { store, by, isDenied } = this.#ports;
    const since = `${new Date().toISOString().slice(0, 19)}Z`;
    try {
      const uid = await this.#identity();
      const recorded = uid === undefined ? undefined : await claimCluster(store, { uid, by, since });
      const ours = recorded === undefined || recorded.uid === uid;
      this.state = ours ? "free" : "another's";
      this.#say(ours ? undefined : anothers(recorded, uid ?? ""));
    } catch (error) {
      this.state = isDenied(error) ? "free" : "not known";
      if (isStoreUnavailable(error)) throw error;
      this.#say(
        isDenied(error) ? `whether etcd is this cluster's is not known: ${(error as Error).message}` : undefined,
      );
    }
  }

  /**
   * Resolves when the store may be used: as soon as it is known not to be another cluster's, or when the API server
   * does not say who this one is; then it is asked on, and {@link problem} says what is found.
   */
  async settle(): Promise<void> {
    while (!this.#stopped) {
      const isAway = await this.look().then(
        () => false,
        (error: Error) => {
          this.#say(`etcd does not answer: ${error.message}`);
          return true;
        },
      );
      if (this.state === "free") return;
      if (this.state === "not known" && !isAway) return this.#later();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#again = setTimeout(resolve, this.#retryMs);
      });
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#again);
    this.#wake();
  }

  #later(): void {
    const look = async () => {
      await this.look().catch(() => undefined);
      if (this.state !== "free" && !this.#stopped) this.#later();
    };
    this.#again = setTimeout(() => void look(), this.#retryMs).unref();
  }

  /** Rejects as it does, or when the API server is silent for too long. */
  async #identity(): Promise<string | undefined> {
    const over = new AbortController();
    const silence = sleep(this.#ports.patienceMs ?? PATIENCE_MS, undefined, { ref: false, signal: over.signal });
    try {
      return await Promise.race([this.#ports.identity(), silence.then(() => Promise.reject(new Error("no answer")))]);
    } finally {
      over.abort();
      silence.catch(() => undefined);
    }
  }

  #say(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.problem) this.#ports.error(problem);
    this.problem = problem;
  }
}

function anothers({ uid, by, since }: ClaimedCluster, own: string): string {
  return (
    `etcd belongs to another Kubernetes cluster: the uid of its namespace kube-system is ${uid} (recorded by ${by}, ` +
    `${since}), here it is ${own}. Give each cluster an etcd of its own. If this is the same cluster with an API ` +
    "server that was built anew, let it have this etcd: overland cluster --forget"
  );
}
