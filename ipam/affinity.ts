/**
 * Which blocks are a node's: one small record per block under the node's name, so that a node finds its blocks without
 * listing the cluster's. Written in the transaction that claims the block.
 */
import { parseObject } from "./block.ts";
import { formatPrefix, type Prefix, parsePrefix } from "./net/prefix.ts";

export interface Affinity {
  readonly cidr: Prefix;
  readonly pool: string;
  readonly claimedAt: number;
}

export function encodeAffinity(affinity: Affinity): string {
  return JSON.stringify({ cidr: formatPrefix(affinity.cidr), pool: affinity.pool, claimedAt: affinity.claimedAt });
}

export function decodeAffinity(text: string): Affinity | undefined {
  const value = parseObject(text);
  const cidr = typeof value?.cidr === "string" ? parsePrefix(value.cidr) : undefined;
  if (cidr === undefined || typeof value?.pool !== "string" || typeof value.claimedAt !== "number") return undefined;
  return { cidr, pool: value.pool, claimedAt: value.claimedAt };
}
