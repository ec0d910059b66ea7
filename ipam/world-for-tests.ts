/** What the tests of address management share: pools and requests in one line, an allocator on a clock of its own. */
import { Allocator } from "./allocator.ts";
import { audit } from "./audit.ts";
import { ipamRoot } from "./keys.ts";
import { type Family, formatAddress } from "./net/address.ts";
import { prefixOf } from "./net/prefix.ts";
import type { Assigned, AssignRequest } from "./plan.ts";
import type { Pool } from "./pool.ts";
import { type Rules, usualRules } from "./rules.ts";
import type { Store } from "./store.ts";

export function poolOf(name: string, cidr: string, blockSize: number, more: Partial<Pool> = {}): Pool {
  return {
    name,
    cidr: prefixOf(cidr),
    blockSize,
    disabled: false,
    nodeSelector: "all()",
    namespaceSelector: "",
    allowedUses: ["Workload", "Tunnel"],
    assignmentMode: "Automatic",
    natOutgoing: false,
    disableBGPExport: false,
    ...more,
  };
}

export const smallPools = [poolOf("v4", "10.244.0.0/24", 26), poolOf("v6", "fd00:244::/112", 122)];

export function requestOf(
  handle: string,
  families: readonly Family[] = [4, 6],
  more: Partial<AssignRequest> = {},
): AssignRequest {
  const workload = { handle, namespace: "default", pod: `pod-${handle}`, containerID: `c-${handle}`, ifName: "eth0" };
  return { workload, families, ...more };
}

/** Waiting is a turn of the event loop, and time goes on by what was waited for. */
export class Clock {
  ms = 1_000_000;
  readonly now = (): number => this.ms;
  readonly wait = async (ms: number): Promise<void> => {
    this.ms += ms;
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Numbers that look random and are the same in every run: xorshift32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

let allocators = 0;

export function allocatorOn(
  store: Store,
  node: string,
  pools: readonly Pool[] = smallPools,
  clock = new Clock(),
  rules: Partial<Rules> = {},
): Allocator {
  const allocator = new Allocator(node, {
    store,
    now: clock.now,
    random: randomFrom(++allocators * 7919),
    wait: clock.wait,
  });
  allocator.setPools(pools);
  allocator.setRules({ ...usualRules, ...rules });
  return allocator;
}

export function texts(assigned: readonly Assigned[]): string[] {
  return assigned.map(({ address }) => formatAddress(address));
}

/** What the audit of the whole store says. */
export async function auditOf(store: Store): Promise<string[]> {
  return audit((await store.list(ipamRoot)).entries);
}
