/** What a conformance case is, and the short forms in which most of them are written. */
import { asPath, attribute, mpReach, mpUnreach, nextHop, origin } from "./attributes.ts";
import { update } from "./messages.ts";
import { ip, nlri, type Octets } from "./octets.ts";
import type { PeerName } from "./peers.ts";
import type { Stand } from "./stand.ts";
import type { Terms } from "./terms.ts";

/** What is known of a route where it is seen. */
export interface RouteExpectation {
  /** These attributes with exactly these flags and octets. */
  readonly with?: readonly Octets[];
  /** The numbers of AS_PATH, however they are spread over sequences. */
  readonly path?: readonly number[];
  /** None of these types. */
  readonly without?: readonly number[];
  /** These types and no others; MP_REACH_NLRI and NEXT_HOP apart. */
  readonly only?: readonly number[];
  /** As text, a link-local one behind a space; several where the texts leave the choice. */
  readonly nextHop?: string | readonly string[];
}

/** By prefix; several when several paths must be seen (RFC 7911), none for "not there". */
export type Sight = Readonly<Record<string, RouteExpectation | readonly RouteExpectation[]>>;

export interface Expectation {
  /** NOTIFICATION code and subcode that end the session: `3/1`; several where the texts leave the choice. */
  readonly reset?: string | readonly string[];
  /** Of that NOTIFICATION. */
  readonly data?: Octets;
  /** The session ends without a word; with `reset` beside it, either will do. */
  readonly closed?: true;
  /** What each of them has in the end. */
  readonly sees?: Partial<Record<PeerName, Sight>>;
  /** AFI and subtype of the ROUTE-REFRESH messages that the case's own session hears. */
  readonly refreshes?: readonly (readonly [afi: number, subtype: number])[];
}

export interface Case {
  /** RFC, section, number: `4271-4.3-03`. */
  readonly id: string;
  readonly title: string;
  /** Whose session says it; default `external`. */
  readonly by?: PeerName;
  /** Default: RFC 6793 and both families, nothing else. */
  readonly terms?: Partial<Record<PeerName, Terms>>;
  /** What others have said before that. */
  readonly also?: Partial<Record<PeerName, readonly Octets[]>>;
  /** What the same session has said before, and had an effect. */
  readonly before?: readonly Octets[];
  /** Seen after `before`. */
  readonly first?: Partial<Record<PeerName, Sight>>;
  /** In place of the OPEN that the terms make. */
  readonly open?: Octets;
  /** Where the session stands when it is said: TCP only, our OPEN answered, or established (the default). */
  readonly stage?: "connected" | "opened" | "established";
  readonly says?: readonly Octets[];
  readonly expects?: Expectation;
  /** For what no table can say; called last. */
  readonly script?: (stand: Stand) => Promise<void>;
}

export const P = "198.51.100.0/24";
export const Q = "198.51.101.0/24";
export const P6 = "2001:db8:100::/48";
export const Q6 = "2001:db8:101::/48";

/** Of the tester `external`, or of another. */
export const base = (asNumber = 65_001, host = 11): Octets[] => [
  origin(),
  asPath(asNumber),
  nextHop(`192.0.2.${host}`),
];
/** Without the next hop, for MP_REACH_NLRI. */
export const base6 = (asNumber = 65_001): Octets[] => [origin(), asPath(asNumber)];

export const announce = (prefix: string, ...attributes: readonly Octets[]): Octets =>
  update({ attributes: attributes.length === 0 ? base() : attributes, nlri: [nlri(prefix)] });
export const withdraw = (...prefixes: readonly string[]): Octets =>
  update({ withdrawn: prefixes.map((prefix) => nlri(prefix)) });

/** Ways to the tester `external`. */
export const GLOBAL = ip("2001:db8:2::b");
export const reach6 = (prefix = P6, next: Octets = GLOBAL): Octets => mpReach(2, next, [nlri(prefix)]);
export const announce6 = (prefix = P6, ...attributes: readonly Octets[]): Octets =>
  update({ attributes: [reach6(prefix), ...(attributes.length === 0 ? base6() : attributes)] });
export const withdraw6 = (...prefixes: readonly string[]): Octets =>
  update({
    attributes: [
      mpUnreach(
        2,
        prefixes.map((prefix) => nlri(prefix)),
      ),
    ],
  });

export const unknown = (flags: number, type: number, value: Octets | readonly number[] = [1, 2, 3]): Octets =>
  attribute(flags, type, value);

type More = Omit<Case, "id" | "title" | "says">;
const list = (says: Octets | readonly Octets[]): readonly Octets[] => (says instanceof Uint8Array ? [says] : says);

/** The route to `P` comes out at `external2`, looking like that. */
export const passes = (
  id: string,
  title: string,
  says: Octets | readonly Octets[],
  route: RouteExpectation = {},
  more: More = {},
): Case => ({ id, title, says: list(says), expects: { sees: { external2: { [P]: route } } }, ...more });

/** The route to `P`, there before, is there no more; the session stays. */
export const withdraws = (id: string, title: string, says: Octets | readonly Octets[], more: More = {}): Case => ({
  id,
  title,
  before: [announce(P)],
  first: { external2: { [P]: {} } },
  says: list(says),
  expects: { sees: { external2: { [P]: [] } } },
  ...more,
});

/** As {@link withdraws}, for `P6`. */
export const withdraws6 = (id: string, title: string, says: Octets | readonly Octets[], more: More = {}): Case =>
  withdraws(id, title, says, {
    before: [announce6()],
    first: { external2: { [P6]: {} } },
    expects: { sees: { external2: { [P6]: [] } } },
    ...more,
  });

/** The session ends with this NOTIFICATION. */
export const resets = (
  id: string,
  title: string,
  says: Octets | readonly Octets[],
  reset: string | readonly string[],
  more: More & { readonly data?: Octets } = {},
): Case => {
  const { data, ...rest } = more;
  return { id, title, says: list(says), expects: { reset, ...(data === undefined ? {} : { data }) }, ...rest };
};

/** Nothing comes of it: the session stays, and the route to `P` that was there before. */
export const harmless = (id: string, title: string, says: Octets | readonly Octets[], more: More = {}): Case =>
  withdraws(id, title, says, { expects: { sees: { external2: { [P]: {} } } }, ...more });
