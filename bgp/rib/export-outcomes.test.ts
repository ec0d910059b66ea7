import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { FilterChain } from "../policy/chain.ts";
import { compileFilter } from "../policy/compile-filter.ts";
import { exportAttributes, exportProblem, isPlain, type RouteOrigin } from "../policy/export.ts";
import type { ExportTerms } from "../policy/export-terms.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { encodePrefix } from "../wire/nlri.ts";
import { concat } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { ExportOutcomes, NO_OUTCOME } from "./export-outcomes.ts";
import { pathOf, peerConfig, TestRib } from "./testing.ts";

/** Lets everything pass, but has to be asked. */
const ASKED: FilterChain = {
  filters: [{ name: "f", direction: "export", ipv4: [], ipv6: [] }],
  otherwise: "Accept",
  tags: [],
};
const PREFIX = prefixOf("10.1.0.0/16");

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const items = (width: number, most: number) =>
  fc.integer({ min: 1, max: most }).chain((count) => octets(width * count));
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const asNumber = fc.integer({ min: 1, max: 0xffffffff });
const asPath = fc.array(
  fc.record({
    type: fc.constant(2),
    asNumbers: fc.oneof(
      fc.array(asNumber, { minLength: 1, maxLength: 5 }),
      fc.array(asNumber, { minLength: 60, maxLength: 66 }),
      fc.array(asNumber, { minLength: 253, maxLength: 255 }),
    ),
  }),
  { maxLength: 3 },
);
/** Types we know nothing of, and flags as the one before us set them. */
const unknown = fc.uniqueArray(
  fc.record({
    type: fc.constantFrom(11, 20, 33, 40, 99, 200),
    flags: fc.constantFrom(0xc0, 0xe0),
    value: fc.oneof(fc.uint8Array({ maxLength: 4 }), octets(300)),
  }),
  { selector: ({ type }) => type, minLength: 1, maxLength: 3 },
);
const attributes: fc.Arbitrary<PathAttributes> = fc
  .record(
    {
      origin: fc.nat({ max: 2 }),
      asPath,
      nextHop: fc.oneof(octets(4), octets(16)),
      linkLocalNextHop: octets(16),
      med: u32,
      localPref: u32,
      atomicAggregate: fc.constant(true),
      aggregator: fc.record({ asNumber, address: octets(4) }),
      communities: fc.array(fc.nat({ max: 0xfffeffff }), { minLength: 1, maxLength: 70 }),
      largeCommunities: items(12, 25),
      extendedCommunities: items(8, 40),
      ipv6ExtendedCommunities: items(20, 3),
      originatorId: octets(4),
      clusterList: fc.array(octets(4), { minLength: 1, maxLength: 5 }),
      onlyToCustomer: u32,
      unknown,
    },
    { requiredKeys: ["origin", "asPath", "nextHop"] },
  )
  .map(({ linkLocalNextHop, unknown: others, ...rest }) => ({
    ...rest,
    ...(linkLocalNextHop !== undefined && rest.nextHop.length === 16 ? { linkLocalNextHop } : {}),
    ...(others === undefined ? {} : { unknown: others.sort((a, b) => a.type - b.type) }),
  }));
const way = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  external: fc.boolean(),
  nextHopMode: fc.constantFrom("Auto" as const, "Self" as const, "Keep" as const),
  ownNextHop: fc.constantFrom(undefined, addressOf("10.0.0.99"), addressOf("fd00::99"), new Uint8Array(32).fill(7)),
  extendedNextHop: fc.boolean(),
  reflectorClient: fc.boolean(),
});
const from = fc.record({ external: fc.boolean(), client: fc.boolean(), attached: fc.boolean() });

/** What goes out by the outcomes of a batch: attributes, and the next hop beside them where it is not among them. */
function outcome(rib: TestRib, terms: ExportTerms, set: number): string {
  const { prefixes } = rib.families[terms.family];
  const outcomes = new ExportOutcomes(terms, prefixes, rib.attributes, rib.sources);
  const id = outcomes.of(set, 1, prefixes.intern(encodePrefix(PREFIX), 0));
  if (id === NO_OUTCOME) return "nothing";
  return inText(outcomes.octets.subarray(outcomes.start[id], outcomes.end[id]), outcomes.nextHop[id]);
}

function inText(sent: Uint8Array, nextHop: Uint8Array | undefined): string {
  return `${Buffer.from(sent).toString("hex")} by ${nextHop === undefined ? "itself" : Buffer.from(nextHop).toString("hex")}`;
}

function byValues(terms: ExportTerms, origin: RouteOrigin, flags: number, path: PathAttributes): string {
  if (exportProblem(terms, origin, flags) !== undefined) return "nothing";
  const out = exportAttributes(terms, origin, path);
  if (typeof out === "string") return "nothing";
  const { nextHop, linkLocalNextHop } = out;
  const hops = linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]);
  return inText(encodeAttributes(out, 4), nextHop.length === 4 ? undefined : hops);
}

describe("what a group announces of a path", () => {
  it("octets changed in place are those of the attributes changed as values, and filters that pass all change none", () => {
    let plain = 0;
    fc.assert(
      fc.property(attributes, way, from, (any, { family, ...rest }, { external, client, attached }) => {
        // What reflectors say means nothing from an external peer, and is not kept.
        const { originatorId: _originator, clusterList: _clusters, ...fromOutside } = any;
        const path = external ? fromOutside : any;
        // Of an IPv6 route the next hop is IPv6.
        if (family === 6 && (path.nextHop.length === 4 || rest.ownNextHop?.length === 4)) return;
        // Terms have an IPv6 address for IPv4 routes only where that was agreed on (RFC 8950).
        if (family === 4 && rest.ownNextHop?.length !== 4 && !rest.extendedNextHop) rest.ownNextHop = undefined;
        const rib = new TestRib([1]);
        const terms = { ...rib.negotiatedTerms(peerConfig(9)), family, ...rest };
        const peerId = addressOf("10.0.0.1");
        rib.sources.set(1, { name: "p1", external, peerId, peerAddress: peerId, client, attached });
        const origin = { local: false, external, client, attached, peerId };
        const set = rib.attributes.intern(path, 0);
        const expected = byValues(terms, origin, rib.attributes.rows.flags(set), path);
        if (isPlain(terms, origin)) plain++;
        expect(outcome(rib, terms, set)).toBe(expected);
        expect(outcome(rib, { ...terms, chain: ASKED }, set)).toBe(expected);
      }),
      { numRuns: 800 },
    );
    expect(plain).toBeGreaterThan(80);
  });

  it("rules that look at prefixes are asked for each; equal outcomes are one", () => {
    const rib = new TestRib([1]);
    const { prefixes } = rib.families[4];
    const operations = [{ addCommunity: { value: "65000:1" } }];
    const exportV4 = [
      { cidr: "10.8.0.0/16", matchOperator: "In" as const, action: "Reject" as const },
      { cidr: "10.2.0.0/16", matchOperator: "In" as const, action: "Accept" as const, operations },
    ];
    const filters = [compileFilter("f", { exportV4 }, "export")];
    const terms = { ...rib.negotiatedTerms(peerConfig(9)), chain: { ...ASKED, filters } };
    const outcomes = new ExportOutcomes(terms, prefixes, rib.attributes, rib.sources);
    const set = rib.attributes.intern(pathOf(1), 0);
    const of = (text: string) => outcomes.of(set, 1, prefixes.intern(encodePrefix(prefixOf(text)), 0));
    const [a, b] = [of("10.1.0.0/16"), of("10.2.0.0/16")];
    expect(a).not.toBe(b);
    expect([of("10.8.1.0/24"), of("10.1.0.0/16"), of("10.3.0.0/16"), of("10.2.3.0/24")]).toEqual([NO_OUTCOME, a, a, b]);
    expect(outcomes.count).toBe(2);
  });
});
