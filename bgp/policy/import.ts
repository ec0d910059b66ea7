/** What becomes of a route on its way in: the rules of RFC 4271 9.1.1 and 9, before any filter. */
import { sameAddress } from "../../ipam/net/address.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { occurrences } from "../wire/as-path.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { nextHopProblem } from "../wire/update.ts";

/** Why the route cannot be used, in words; undefined: it can. */
export function importProblem(config: PeerConfig, external: boolean, attributes: PathAttributes): string | undefined {
  // RFC 4271 9.1.2: a path with our own AS number is a loop.
  const own = occurrences(attributes.asPath, config.localAsNumber);
  if (own > config.numAllowedLocalAsNumbers) return `AS ${config.localAsNumber} is in the path ${own} times`;
  // RFC 4456 8.
  if (attributes.originatorId !== undefined && sameAddress(attributes.originatorId, config.routerId)) {
    return "this speaker is its originator";
  }
  if (!external && attributes.localPref === undefined) return "LOCAL_PREF is missing";
  const problem = nextHopProblem(attributes.nextHop);
  if (problem !== undefined) return `the next hop ${problem}`;
  const ours = attributes.nextHop.length === 4 ? config.localAddresses[4] : config.localAddresses[6];
  // RFC 4271 5.1.3.
  if (ours !== undefined && sameAddress(ours, attributes.nextHop)) return "the next hop is this speaker itself";
  return undefined;
}
