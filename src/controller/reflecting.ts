/** Custom resources, all the time: a pass after whatever may have changed something, again while something is left. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../ipam/store.ts";
import type { Cluster } from "../cluster/port.ts";
import { kindOfKey, RESOURCES_ROOT } from "../config/resource-keys.ts";
import type { Log } from "../telemetry/log.ts";
import { CustomResourceWatch } from "./custom-resource-watch.ts";
import type { Verdict } from "./judge.ts";
import type { Fence } from "./leader.ts";
import { type Passed, Reflection } from "./reflection.ts";

/** In milliseconds. */
export interface ReflectingPace {
  /** What comes within this time is done together. */
  readonly settle: number;
  readonly firstRetry: number;
  readonly longestRetry: number;
  /** While something goes once its addresses are free. */
  readonly waiting: number;
  /** Without any reason. */
  readonly resync: number;
}

export const usualPace: ReflectingPace = {
  settle: 20,
  firstRetry: 250,
  longestRetry: 15_000,
  waiting: 5_000,
  resync: 300_000,
};

export class Reflecting {
  readonly #watch: CustomResourceWatch;
  readonly #reflection: Reflection;
  readonly #leader: Fence;
  readonly #log: Log;
  readonly #pace: ReflectingPace;
  readonly #stopping = new AbortController();
  readonly #unwatch: () => void;
  readonly #running: Promise<void>;
  readonly #told = new Map<string, string>();
  #woken: () => void = () => undefined;
  #due = true;
  #failures = 0;
  #last: Passed | undefined;
  #trouble: string | undefined;

  /** @param store watched for changes that are not ours */
  constructor(cluster: Cluster, store: Store, leader: Fence, log: Log, pace: ReflectingPace = usualPace) {
    this.#watch = new CustomResourceWatch(cluster, () => this.wake(), log);
    this.#reflection = new Reflection(cluster, this.#watch, leader.store);
    this.#leader = leader;
    this.#log = log;
    this.#pace = pace;
    this.#unwatch = store.watch(RESOURCES_ROOT, {
      snapshot: () => this.wake(),
      change: (key) => {
        if (kindOfKey(key) !== "Node") this.wake();
      },
      trouble: () => undefined,
    });
    this.#running = this.#run();
  }

  /** Something may be different: who leads, among others. */
  wake(): void {
    this.#due = true;
    this.#woken();
  }

  /** What the last pass found; undefined: this one has made none. */
  get last(): Passed | undefined {
    return this.#leader.leads ? this.#last : undefined;
  }

  /** Why not everything could be done at the last pass. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Kinds whose custom resources are not followed, and why. */
  problems(): ReadonlyMap<string, string> {
    return this.#watch.problems();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watch.stop();
    this.#unwatch();
    this.#woken();
    await this.#running;
  }

  async #run(): Promise<void> {
    let wait = this.#pace.resync;
    while (!this.#stopping.signal.aborted) {
      await this.#until(wait);
      await this.#pause(this.#pace.settle);
      this.#due = false;
      wait = this.#leader.leads ? await this.#pass() : this.#idle();
    }
  }

  /** How long to wait for the next one, when nothing happens. */
  async #pass(): Promise<number> {
    try {
      const passed = await this.#reflection.pass();
      this.#last = passed;
      this.#say(passed);
      const [trouble] = passed.troubles;
      // One that is in trouble does not keep others waiting: what changes is looked at as always.
      if (trouble !== undefined) return this.#failed(trouble);
      this.#idle();
      return passed.waiting.size > 0 ? this.#pace.waiting : this.#pace.resync;
    } catch (error) {
      // Nothing could be done, and nothing that happens makes the next attempt come earlier.
      await this.#pause(this.#failed(error));
      this.#due = true;
      return 0;
    }
  }

  #failed(error: unknown): number {
    const { message } = error as Error;
    if (message !== this.#trouble && !this.#stopping.signal.aborted) {
      this.#log.warn("custom resources cannot all be brought to etcd; tried again", { error });
    }
    this.#trouble = message;
    return Math.min(this.#pace.longestRetry, this.#pace.firstRetry * 2 ** this.#failures++);
  }

  #idle(): number {
    this.#failures = 0;
    this.#trouble = undefined;
    return this.#pace.resync;
  }

  #say({ verdicts, written, deleted, waiting, orphans }: Passed): void {
    if (written.length > 0) this.#log.info("resources of Kubernetes are written", { resources: written });
    if (deleted.length > 0) this.#log.info("resources deleted in Kubernetes are deleted", { resources: deleted });
    const now = new Map([...waiting, ...orphans, ...verdicts.flatMap(refusalOf)]);
    for (const [resource, why] of now) {
      if (this.#told.get(resource) !== why)
        this.#log.warn("a resource of Kubernetes is not as it is there", { resource, why });
    }
    this.#told.clear();
    for (const [resource, why] of now) this.#told.set(resource, why);
  }

  async #until(ms: number): Promise<void> {
    if (this.#due) return;
    const over = new AbortController();
    await new Promise<void>((resolve) => {
      this.#woken = resolve;
      void sleep(ms, undefined, { signal: AbortSignal.any([over.signal, this.#stopping.signal]) }).then(
        resolve,
        resolve,
      );
    });
    over.abort();
    this.#woken = () => undefined;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

function refusalOf({ kind, object, refusal }: Verdict): [string, string][] {
  return refusal === undefined ? [] : [[`${kind}/${object.metadata.name}`, refusal.message]];
}
