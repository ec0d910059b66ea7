/** Routes that stand for a moment: when one has come out, whatever its session said before has been dealt with. */
import { asPath, asPath2, communities, localPref, mpReach, nextHop, origin } from "./attributes.ts";
import { pathsTo } from "./expect-route.ts";
import { update } from "./messages.ts";
import { hex, ip, nlri, type Octets } from "./octets.ts";
import { address4, address6, type PeerPlan, SUBJECT } from "./peers.ts";
import type { Session } from "./session.ts";
import type { Terms } from "./terms.ts";

const prefixOf = (host: number, afi: number): string =>
  afi === 1 ? `203.0.113.${host}/32` : `2001:db8:ffff::${host.toString(16)}/128`;

const tag = (moment: number): Octets => communities(`65000:${moment}`);

/** One in each family of the session; IPv4 last. */
export function markers({ host, asNumber }: PeerPlan, terms: Terms, moment: number): Octets[] {
  const internal = asNumber === SUBJECT.asNumber;
  const path = (terms.as4 ?? true) ? asPath : asPath2;
  const id = (afi: number) => (terms.addPath?.some(([family, mode]) => family === afi && mode & 2) ? 1 : undefined);
  const common = [
    origin(),
    internal ? path() : path(asNumber > 0xffff && terms.as4 === false ? 23_456 : asNumber),
    ...(internal ? [localPref(100)] : []),
    tag(moment),
  ];
  return familiesOf(terms).map((afi) => {
    const prefix = nlri(prefixOf(host, afi), id(afi));
    if (afi === 1) return update({ attributes: [...common, nextHop(address4(host))], nlri: [prefix] });
    return update({ attributes: [mpReach(2, ip(address6(host)), [prefix]), ...common] });
  });
}

/** That neighbour's marker of that moment. */
export function hasMarker(session: Session, { host }: PeerPlan, afi: number, moment: number): boolean {
  const wanted = hex(tag(moment).subarray(3));
  return pathsTo(session, prefixOf(host, afi)).some(({ attributes }) => {
    const value = attributes.get(8)?.value;
    return value !== undefined && hex(value) === wanted;
  });
}

/** Highest first: IPv4's marker is said last. Without any capability it is IPv4 alone (RFC 4760 8). */
export const familiesOf = (terms: Terms): readonly number[] =>
  terms.families?.length === 0 ? [1] : (terms.families ?? [1, 2]).toSorted((a, b) => b - a);
