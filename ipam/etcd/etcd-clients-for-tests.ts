/** What the tests on a real etcd share: allocators on the clock of the machine, and patience. */
import { Allocator } from "../allocator.ts";
import type { Pool } from "../pool.ts";
import type { Store } from "../store.ts";

export function allocatorOnTime(store: Store, node: string, pools: readonly Pool[], now = Date.now): Allocator {
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const allocator = new Allocator(node, { store, now, random: Math.random, wait });
  allocator.setPools(pools);
  return allocator;
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
