/**
 * What nftables does for us: one table, `inet overland`, replaced as a whole by one transaction, and not there where
 * nothing is asked for. Nobody else's rules are read or touched.
 */
import type { Prefix } from "../../ipam/net/prefix.ts";
import { type Masquerade, masqueradeCommands } from "./masquerade.ts";
import { nft, TABLE } from "./nft.ts";
import { serviceLoopCommands } from "./service-loops.ts";

export interface PacketRules extends Masquerade {
  /** Ranges of services that this node announces. */
  readonly serviceRanges: readonly Prefix[];
}

/** Makes the rules match; idempotent. Rejects with nft's own words when it refuses. */
export async function applyPacketRules(wanted: PacketRules, options: { netns?: string } = {}): Promise<void> {
  const rules = [...masqueradeCommands(wanted), ...serviceLoopCommands(wanted.serviceRanges)];
  const table = { table: TABLE };
  // Adding before deleting makes the delete succeed where there was no table.
  const commands = [{ add: table }, { delete: table }, ...(rules.length === 0 ? [] : [{ add: table }, ...rules])];
  await nft({ nftables: commands }, options.netns);
}
