/** What this node announces: its blocks as a whole, and single addresses it holds in other nodes' blocks. */
import type { Block } from "../../ipam/block.ts";
import type { Address } from "../../ipam/net/address.ts";
import { bitsOf, familyOf } from "../../ipam/net/address.ts";
import { containsPrefix, hostPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { PrefixMap } from "../../ipam/net/prefix-map.ts";
import type { Pool } from "../../ipam/pool.ts";

export interface Origination {
  readonly networks: readonly Prefix[];
  /** Blocks of more than one address: packets to the free ones must not leave the node again. */
  readonly blackholes: readonly Prefix[];
}

export function originate(
  blocks: readonly Pick<Block, "cidr">[],
  podAddresses: readonly Address[],
  pools: readonly Pick<Pool, "cidr" | "disableBGPExport">[],
): Origination {
  const hidden = pools.filter(({ disableBGPExport }) => disableBGPExport);
  const isHidden = (prefix: Prefix) => hidden.some(({ cidr }) => containsPrefix(cidr, prefix));
  const own = blocks.map(({ cidr }) => cidr);
  const inOwn = new PrefixMap<true>();
  for (const cidr of own) inOwn.set(cidr, true);
  const borrowed = podAddresses.filter((address) => inOwn.longest(address) === undefined);
  return {
    networks: [...own, ...borrowed.map(hostPrefix)].filter((prefix) => !isHidden(prefix)),
    blackholes: own.filter(({ address, length }) => length < bitsOf(familyOf(address))),
  };
}
