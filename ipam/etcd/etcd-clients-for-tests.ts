/** What the tests on a real etcd share: allocators on the clock of the machine, this process's own time, patience. */
import { Allocator } from "../allocator.ts";
import type { Pool } from "../pool.ts";
import type { Store } from "../store.ts";

export function allocatorOnTime(store: Store, node: string, pools: readonly Pool[], now = Date.now): Allocator {
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const allocator = new Allocator(node, { store, now, random: Math.random, wait });
  allocator.setPools(pools);
  return allocator;
}

const TICK_MS = 10;

/**
 * Time in which this process ran, in ms: it stands still while another process has the processor, or while a call such
 * as etcdctl's is waited for without turning the event loop. What a client's own deadlines are held against.
 */
export class OwnTime {
  readonly #ticks: NodeJS.Timeout;
  #ran = 0;
  #last = performance.now();

  constructor() {
    this.#ticks = setInterval(() => this.now(), TICK_MS).unref();
  }

  now(): number {
    const now = performance.now();
    this.#ran += Math.min(now - this.#last, 2 * TICK_MS);
    this.#last = now;
    return this.#ran;
  }

  stop(): void {
    clearInterval(this.#ticks);
  }
}

/** Tries again until it succeeds; the last error when it does not in time. */
export async function eventually<T>(work: () => Promise<T>, withinMs = 5000): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
