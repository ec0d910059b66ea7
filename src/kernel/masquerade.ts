/**
 * natOutgoing: what pods of some pools send to addresses outside every pool leaves with the node's own address.
 */
import type { Family } from "../../ipam/net/address.ts";
import { familyOfPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { FAMILIES, IN_TABLE, prefixSet, protocolOf } from "./nft.ts";

export interface Masquerade {
  /** Pools whose pods are hidden behind the node. */
  readonly natPools: readonly Prefix[];
  /** Every pool, disabled ones too: what goes there keeps its source. */
  readonly allPools: readonly Prefix[];
}

/** The commands that make the chain; none where no pool is hidden. */
export function masqueradeCommands({ natPools, allPools }: Masquerade): object[] {
  if (natPools.length === 0) return [];
  const chain = { ...IN_TABLE, name: "postrouting", type: "nat", hook: "postrouting", prio: 100, policy: "accept" };
  return [{ add: { chain } }, ...FAMILIES.flatMap((family) => familyCommands(family, natPools, allPools))];
}

function familyCommands(family: Family, natPools: readonly Prefix[], allPools: readonly Prefix[]): object[] {
  const ours = (pool: Prefix) => familyOfPrefix(pool) === family;
  if (!natPools.some(ours)) return [];
  const protocol = protocolOf(family);
  const match = (op: string, field: string, name: string) => ({
    match: { op, left: { payload: { protocol, field } }, right: `@${name}-ipv${family}` },
  });
  const expr = [match("==", "saddr", "nat-pools"), match("!=", "daddr", "all-pools"), { masquerade: null }];
  return [
    prefixSet(family, "nat-pools", natPools),
    // A pool that is hidden is a pool: also where the caller did not list it twice.
    prefixSet(family, "all-pools", [...allPools, ...natPools]),
    { add: { rule: { ...IN_TABLE, chain: "postrouting", expr } } },
  ];
}
