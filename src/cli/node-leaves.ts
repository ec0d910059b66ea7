/** What a deleted Node still holds, in words for who deleted it: what will become of it, and by whom. */
import { ipamRoot } from "../../ipam/keys.ts";
import { readableBlocks, readRecords } from "../../ipam/reading.ts";
import type { Store } from "../../ipam/store.ts";
import { counted } from "./terminal.ts";

export async function whatNodesLeave(store: Store, names: readonly string[]): Promise<string[]> {
  const all = readableBlocks(readRecords((await store.list(ipamRoot)).entries));
  return names.flatMap((name) => {
    const own = all.filter(({ node }) => node === name);
    const held = all.flatMap(({ node, allocations }) =>
      [...allocations.values()].filter((one) => (one.node ?? node) === name),
    );
    if (own.length === 0 && held.length === 0) return [];
    const what = `${counted(own.length, "block")} and ${held.length === 1 ? "1 address" : `${held.length} addresses`}`;
    return [
      `node ${name} still holds ${what}: \`overland controller\` takes them back once the node is gone for its ` +
        `--grace (5m); without a running controller: overland controller --once`,
      `is the agent of ${name} still running? It registers the node again: stop it, and its machine's pods, first`,
    ];
  });
}
