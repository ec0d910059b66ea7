/** What becomes of a path on its way to one peer, with the attributes it goes out with. */
import type { Prefix } from "../../ipam/net/prefix.ts";
import { exportAttributes, exportProblem, type RouteOrigin } from "../policy/export.ts";
import type { ExportTerms } from "../policy/export-terms.ts";
import { isOpen, runChain } from "../policy/run-chain.ts";
import type { Rib } from "../rib/rib.ts";
import { LOCAL_SOURCE } from "../rib/sources.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";

export interface Exported {
  readonly accept: boolean;
  /** Which filter and rule, or which rule of the protocol. */
  readonly by: string;
  /** Set when accepted. */
  readonly attributes?: PathAttributes;
}

/** `set`: of the path in the RIB; `from`: its source. */
export function exported(rib: Rib, terms: ExportTerms, set: number, from: number, prefix: Prefix): Exported {
  const { external, client, attached, peerId } = rib.sources.get(from);
  const origin: RouteOrigin = { local: from === LOCAL_SOURCE, external, client, attached, peerId };
  const problem = exportProblem(terms, origin, rib.attributes.rows.flags(set));
  if (problem !== undefined) return { accept: false, by: problem };
  const attributes = exportAttributes(terms, origin, rib.attributes.attributes(set));
  if (typeof attributes === "string") return { accept: false, by: attributes };
  if (isOpen(terms.chain)) return { accept: true, by: "no export filter", attributes };
  const peerType = terms.external ? "eBGP" : "iBGP";
  const source = origin.local ? "Local" : "RemotePeers";
  return runChain(terms.chain, { prefix, attributes, peerType, source, attached, interface: undefined });
}
