/** Why there is no address, in words for whoever has to do something about it. */
import { restingCount } from "./block.ts";
import type { Draft } from "./draft.ts";
import { containsPrefix, familyOfPrefix, prefixSize } from "./net/prefix.ts";
import { type Pool, poolText } from "./pool.ts";
import { Refusal } from "./refusal.ts";

interface Search {
  /** The node has as many blocks as it may claim. */
  readonly atLimit: boolean;
  /** Blocks of other nodes that were not looked at for this request. */
  readonly unread: number;
}

const configure = "overland ipam configure";

/** @param pools of one family, at least one */
export function noRoom(draft: Draft, pools: readonly Pool[], now: number, search: Search): Refusal {
  if (search.atLimit) return blockLimit(draft, pools[0] as Pool, search);
  const texts = pools.map((pool) => fullText(draft, pool, now));
  const unread = unreadText(draft, search);
  const strict = draft.view.rules.strictAffinity
    ? `; strictAffinity of IPAMConfiguration default forbids borrowing (${configure} --strictaffinity false allows it)`
    : "";
  return new Refusal("pool-full", `${texts.join("; ")}${unread}${strict}: delete pods, or create another IPPool`, true);
}

function fullText(draft: Draft, pool: Pool, now: number): string {
  const { rules, node } = draft.view;
  const blocks = [...draft.ownBlocks(), ...foreignIn(draft, pool)].filter((block) =>
    containsPrefix(pool.cidr, block.cidr),
  );
  const resting = blocks.reduce((sum, block) => sum + restingCount(block, now, rules), 0);
  const rest = resting === 0 ? "" : `, ${resting} of them released less than ${rules.restMs / 1000} s ago`;
  const reserved = rules.reserved.count(pool.cidr);
  const kept = reserved === 0n ? "" : `, ${reserved} of them reserved by IPReservations`;
  const where = rules.strictAffinity ? `no free address for node ${node}` : "no free address";
  return `${poolText(pool)} has ${where} (${prefixSize(pool.cidr)} in all${rest}${kept})`;
}

function foreignIn(draft: Draft, pool: Pool) {
  if (draft.view.rules.strictAffinity) return [];
  return [...draft.view.lenders].flatMap((cidr) => {
    const block = containsPrefix(pool.cidr, cidr) ? draft.block(cidr)?.value : undefined;
    return block ?? [];
  });
}

function blockLimit(draft: Draft, pool: Pool, search: Search): Refusal {
  const { node, rules } = draft.view;
  const family = familyOfPrefix(pool.cidr);
  const own = draft.ownBlocks().filter(({ cidr }) => familyOfPrefix(cidr) === family).length;
  const most = `maxBlocksPerHost ${rules.maxBlocksPerHost} of IPAMConfiguration default`;
  const why = rules.strictAffinity
    ? "strictAffinity forbids borrowing"
    : `no block of another node has one to lend${unreadText(draft, search)}`;
  const also = rules.strictAffinity ? " or --strictaffinity false" : "";
  const cure = `delete pods, or ${configure} --max-blocks-per-host N (0: no limit)${also}`;
  const blocks = `${own} ${own === 1 ? "block" : "blocks"}`;
  const message = `node ${node} has no free IPv${family} address in its ${blocks} (no more with ${most}), and ${why}`;
  return new Refusal("block-limit", `${message}: ${cure}`, true);
}

function unreadText(draft: Draft, { unread }: Search): string {
  return unread === 0 ? "" : ` (${unread} of ${draft.view.lenders.size} blocks were not looked at: the next try does)`;
}
