/** What a speaker should have told a neighbour, made from values by the rules one by one; and what the other has. */
import type { Family } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { Neighbor } from "../neighbor.ts";
import { exportAttributes, exportProblem } from "../policy/export.ts";
import { type ExportTerms, exportTerms, termsKey } from "../policy/export-terms.ts";
import { runChain } from "../policy/run-chain.ts";
import type { Rib } from "../rib/rib.ts";
import { LOCAL_SOURCE } from "../rib/sources.ts";
import type { Speaker } from "../speaker.ts";
import { encodeCanonical } from "../wire/encode-attributes.ts";
import { hexOf } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";

/** Each path as its prefix and its attributes in canonical form, sorted. */
export function announcedTo({ rib }: Speaker, neighbor: Neighbor, family: Family): string[] {
  const terms = termsOf(neighbor, family);
  if (terms === undefined) return [];
  const { paths } = rib.families[family];
  const announced: string[] = [];
  for (const { id, prefix } of rib.families[family].known()) {
    for (let path = paths.first(id); path >= 0; path = paths.next(path)) {
      const isMeant = terms.addPath ? rib.decision.isCandidate(paths, path) : path === rib.families[family].best(id);
      if (!isMeant || paths.source(path) === neighbor.source) continue;
      const attributes = outgoing(rib, terms, paths.inForce(path), paths.source(path), prefix);
      if (attributes !== undefined) announced.push(`${formatPrefix(prefix)} ${hexOf(encodeCanonical(attributes))}`);
    }
  }
  return announced.sort();
}

/** The same of what came. */
export function receivedFrom({ rib }: Speaker, { source }: Neighbor, family: Family): string[] {
  const { paths, prefixes } = rib.families[family];
  const { attributes } = rib;
  return Array.from(paths.ofSource(source), (path) => {
    const set = paths.received(path);
    const octets = attributes.octets.subarray(attributes.start(set), attributes.end(set));
    return `${formatPrefix(prefixes.prefix(paths.prefix(path)))} ${hexOf(octets)}`;
  }).sort();
}

/** The terms by which it is told now; they have to be those of its configuration. */
function termsOf({ peer, groups }: Neighbor, family: Family): ExportTerms | undefined {
  if (peer.session === undefined) return undefined;
  const { negotiated, local } = peer.session;
  const terms = exportTerms(peer.config, negotiated, family, local?.address);
  const inForce = groups.get(family)?.terms;
  if (inForce === undefined || termsKey(inForce) !== termsKey(terms)) {
    throw new Error(`${peer.config.name} is told by other terms than it should be`);
  }
  return terms;
}

function outgoing(
  { attributes, sources }: Rib,
  terms: ExportTerms,
  set: number,
  from: number,
  prefix: Prefix,
): PathAttributes | undefined {
  const { external, client, attached, peerId } = sources.get(from);
  const origin = { local: from === LOCAL_SOURCE, external, client, attached, peerId };
  if (exportProblem(terms, origin, attributes.rows.flags(set)) !== undefined) return undefined;
  const before = exportAttributes(terms, origin, attributes.attributes(set));
  if (typeof before === "string") return undefined;
  const verdict = runChain(terms.chain, {
    prefix,
    attributes: before,
    peerType: terms.external ? "eBGP" : "iBGP",
    source: origin.local ? "Local" : "RemotePeers",
    attached,
    interface: undefined,
  });
  return verdict.accept ? verdict.attributes : undefined;
}
