/** Why there is no address, in words for whoever has to do something about it. */
import { restingCount } from "./block.ts";
import type { Draft } from "./draft.ts";
import { containsPrefix, familyOfPrefix, prefixSize } from "./net/prefix.ts";
import { type Pool, poolText } from "./pool.ts";
import { Refusal } from "./refusal.ts";

interface Search {
  /** The node has as many blocks as it may claim. */
  readonly atLimit: boolean;
  /** Not all blocks of other nodes were looked at. */
  readonly partial: boolean;
}

const configure = "overland ipam configure";

/** @param pools of one family, at least one */
export function noRoom(draft: Draft, pools: readonly Pool[], now: number, search: Search): Refusal {
  if (search.atLimit) return blockLimit(draft, pools[0] as Pool, search);
  const texts = pools.map((pool) => fullText(draft, pool, now, search));
  const strict = draft.view.rules.strictAffinity
    ? `; strictAffinity of IPAMConfiguration default forbids borrowing (${configure} --strictaffinity false allows it)`
    : "";
  const message = `${texts.join("; ")}${partialText(draft, search)}${strict}`;
  return new Refusal("pool-full", `${message}: delete pods, or create another IPPool`, true);
}

function fullText(draft: Draft, pool: Pool, now: number, { partial }: Search): string {
  const { rules, node } = draft.view;
  const known = rules.strictAffinity ? draft.ownBlocks() : [...draft.ownBlocks(), ...draft.view.foreignBlocks()];
  const blocks = known.filter((block) => containsPrefix(pool.cidr, block.cidr));
  const resting = blocks.reduce((sum, block) => sum + restingCount(block, now, rules), 0);
  const rest = resting === 0 ? "" : `, ${resting} of them released less than ${rules.restMs / 1000} s ago`;
  const reserved = rules.reserved.count(pool.cidr);
  const kept = reserved === 0n ? "" : `, ${reserved} of them reserved by IPReservations`;
  const seen = partial ? "no address known to be free" : "no free address";
  const where = rules.strictAffinity ? `${seen} for node ${node}` : seen;
  return `${poolText(pool)} has ${where} (${prefixSize(pool.cidr)} in all${rest}${kept})`;
}

function blockLimit(draft: Draft, pool: Pool, search: Search): Refusal {
  const { node, rules } = draft.view;
  const family = familyOfPrefix(pool.cidr);
  const own = draft.ownBlocks().filter(({ cidr }) => familyOfPrefix(cidr) === family).length;
  const most = `maxBlocksPerHost ${rules.maxBlocksPerHost} of IPAMConfiguration default`;
  const why = rules.strictAffinity
    ? "strictAffinity forbids borrowing"
    : `no block of another node has one to lend${partialText(draft, search)}`;
  const also = rules.strictAffinity ? " or --strictaffinity false" : "";
  const cure = `delete pods, or ${configure} --max-blocks-per-host N (0: no limit)${also}`;
  const blocks = `${own} ${own === 1 ? "block" : "blocks"}`;
  const message = `node ${node} has no free IPv${family} address in its ${blocks} (no more with ${most}), and ${why}`;
  return new Refusal("block-limit", `${message}: ${cure}`, true);
}

function partialText(draft: Draft, { partial }: Search): string {
  const all = draft.view.lenders.size;
  return partial ? `; not all ${all} blocks of other nodes were looked at, and the next try goes on there` : "";
}
