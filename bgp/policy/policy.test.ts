import { describe, expect, it } from "@jest/globals";
import { addressOf, type Family, formatAddress } from "../../ipam/net/address.ts";
import { Columns, Community, gatherColumns } from "../rib/attribute-columns.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig, Role } from "../session/peer-config.ts";
import { PEER_CONFIG as EXTERNAL, NEGOTIATED } from "../session/testing.ts";
import { formatAsPath } from "../wire/as-path.ts";
import { encodeCanonical } from "../wire/encode-attributes.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import type { FilterChain } from "./chain.ts";
import { exportAttributes, exportProblem, LOCAL_ATTRIBUTES, type RouteOrigin } from "./export.ts";
import { exportTerms } from "./export-terms.ts";
import { longLivedStale } from "./import.ts";

const INTERNAL: PeerConfig = { ...EXTERNAL, asNumber: 64512 };
const CLIENT: PeerConfig = { ...INTERNAL, reflectorClient: true };
const ORIGIN: RouteOrigin = {
  local: false,
  external: true,
  client: false,
  attached: false,
  peerId: addressOf("10.0.0.2"),
};
const OWN: RouteOrigin = { ...ORIGIN, local: true, external: false };
const FROM_EXTERNAL = ORIGIN;
const FROM_INTERNAL: RouteOrigin = { ...ORIGIN, external: false };
const FROM_CLIENT: RouteOrigin = { ...FROM_INTERNAL, client: true };
const FROM_POD: RouteOrigin = { ...ORIGIN, attached: true };
const FROM_INTERNAL_POD: RouteOrigin = { ...FROM_INTERNAL, attached: true };
const LEARNED: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65002] }],
  nextHop: addressOf("10.0.0.2"),
  med: 7,
  localPref: 150,
};
/** The operator has said something, if nothing much. */
const SAID_SOMETHING: FilterChain = {
  filters: [{ name: "f", direction: "import", ipv4: [], ipv6: [] }],
  otherwise: "Accept",
  tags: [],
};

interface Session extends Partial<Negotiated> {
  readonly family?: Family;
}

function termsOf(config: PeerConfig, { family = 4, ...session }: Session = {}) {
  const external = config.asNumber !== config.localAsNumber;
  return exportTerms(config, { ...NEGOTIATED, external, role: config.role, ...session }, family, undefined);
}

function flagsOf(attributes: PathAttributes): number {
  const row = new Columns();
  const octets = encodeCanonical(attributes);
  gatherColumns(octets, 0, octets.length, row);
  return row.flags;
}

/** What goes out, or in words why nothing does. */
function out(
  config: PeerConfig,
  origin: RouteOrigin,
  attributes: PathAttributes,
  session?: Session,
): PathAttributes | string {
  const terms = termsOf(config, session);
  return exportProblem(terms, origin, flagsOf(attributes)) ?? exportAttributes(terms, origin, attributes);
}

/** The same in one line. */
function exported(config: PeerConfig, origin: RouteOrigin, attributes: PathAttributes, session?: Session): string {
  const result = out(config, origin, attributes, session);
  if (typeof result === "string") return result;
  const { nextHop, asPath, localPref, med } = result;
  return `[${formatAsPath(asPath)}] via ${formatAddress(nextHop)} lp ${localPref} med ${med}`;
}

const withCommunities = (...communities: number[]): PathAttributes => ({ ...LEARNED, communities });

describe("export (RFC 4271 9.2, 5.1)", () => {
  const NOT_REFLECTED = "learned from an internal peer, and neither is a route-reflector client";
  it.each<[string, PeerConfig, RouteOrigin, PathAttributes, string]>([
    ["own route, external peer", EXTERNAL, OWN, LOCAL_ATTRIBUTES, "[64512] via 10.0.0.11 lp undefined med undefined"],
    ["own route, internal peer", INTERNAL, OWN, LOCAL_ATTRIBUTES, "[] via 10.0.0.11 lp 100 med undefined"],
    [
      "learned route to an external peer",
      EXTERNAL,
      FROM_EXTERNAL,
      LEARNED,
      "[64512 65002] via 10.0.0.11 lp undefined med undefined",
    ],
    ["external route to an internal peer", INTERNAL, FROM_EXTERNAL, LEARNED, "[65002] via 10.0.0.2 lp 150 med 7"],
    ["internal route to an internal peer", INTERNAL, FROM_INTERNAL, LEARNED, NOT_REFLECTED],
    [
      "internal route to an external peer",
      EXTERNAL,
      FROM_INTERNAL,
      LEARNED,
      "[64512 65002] via 10.0.0.11 lp undefined med undefined",
    ],
    [
      "learned route where only own ones go",
      { ...EXTERNAL, exportScope: "originated" },
      FROM_EXTERNAL,
      LEARNED,
      "only own routes go to this peer",
    ],
    [
      "own route where only own ones go",
      { ...EXTERNAL, exportScope: "originated" },
      OWN,
      LOCAL_ATTRIBUTES,
      "[64512] via 10.0.0.11 lp undefined med undefined",
    ],
    [
      "another AS towards this peer",
      { ...EXTERNAL, localAsNumber: 65100 },
      OWN,
      LOCAL_ATTRIBUTES,
      "[65100] via 10.0.0.11 lp undefined med undefined",
    ],
  ])("%s", (_name, config, origin, attributes, expected) => {
    expect(exported(config, origin, attributes)).toBe(expected);
  });

  it("an own MED goes to an external peer, one that was learned stays in the AS (5.1.4)", () => {
    expect(exported(EXTERNAL, OWN, { ...LOCAL_ATTRIBUTES, med: 3 })).toContain("med 3");
    expect(exported(EXTERNAL, FROM_EXTERNAL, { ...LEARNED, med: 3 })).toContain("med undefined");
  });

  it("a path of 255 numbers gets a second segment in front (5.1.2)", () => {
    const asNumbers = Array.from({ length: 255 }, (_, n) => 1000 + n);
    const result = out(EXTERNAL, FROM_EXTERNAL, { ...LEARNED, asPath: [{ type: 2, asNumbers }] });
    expect(result).toMatchObject({
      asPath: [
        { type: 2, asNumbers: [64512] },
        { type: 2, asNumbers },
      ],
    });
  });

  it("extended communities that are not transitive stay in the AS (RFC 4360 6)", () => {
    const inside = Uint8Array.of(0x40, 0, 0, 0, 0, 0, 0, 1);
    const outside = Uint8Array.of(0x00, 2, 0, 0, 0, 0, 0, 2);
    const both = Uint8Array.of(...inside, ...outside);
    expect(out(EXTERNAL, ORIGIN, { ...LEARNED, extendedCommunities: both })).toMatchObject({
      extendedCommunities: outside,
    });
    expect(out(EXTERNAL, ORIGIN, { ...LEARNED, extendedCommunities: inside })).not.toHaveProperty(
      "extendedCommunities",
    );
    expect(out(INTERNAL, ORIGIN, { ...LEARNED, extendedCommunities: both })).toMatchObject({
      extendedCommunities: both,
    });
  });
});

describe("next hop (RFC 4271 5.1.3, RFC 2545, RFC 8950)", () => {
  const V6: PathAttributes = { ...LEARNED, nextHop: addressOf("fd00::2"), linkLocalNextHop: addressOf("fe80::2") };
  const BOTH = { 4: addressOf("10.0.0.11"), 6: addressOf("fd00::11") };
  const v6: Session = { family: 6 };
  it.each<[string, PeerConfig, RouteOrigin, PathAttributes, Session, string]>([
    ["external, Auto", EXTERNAL, FROM_EXTERNAL, LEARNED, {}, "10.0.0.11"],
    ["external, Keep", { ...EXTERNAL, nextHopMode: "Keep" }, FROM_EXTERNAL, LEARNED, {}, "10.0.0.2"],
    ["internal, Auto", INTERNAL, FROM_EXTERNAL, LEARNED, {}, "10.0.0.2"],
    ["internal, Self", { ...INTERNAL, nextHopMode: "Self" }, FROM_EXTERNAL, LEARNED, {}, "10.0.0.11"],
    ["reflected, Auto", CLIENT, FROM_INTERNAL, LEARNED, {}, "10.0.0.2"],
    ["own, Keep", { ...INTERNAL, nextHopMode: "Keep" }, OWN, LOCAL_ATTRIBUTES, {}, "10.0.0.11"],
    ["route server", { ...EXTERNAL, routeServerClient: true }, FROM_EXTERNAL, LEARNED, {}, "10.0.0.2"],
    ["IPv6, external", { ...EXTERNAL, localAddresses: BOTH }, FROM_EXTERNAL, V6, v6, "fd00::11"],
    ["IPv6, kept: without the link's own address", INTERNAL, FROM_EXTERNAL, V6, v6, "fd00::2"],
    [
      "no address of the family",
      EXTERNAL,
      OWN,
      LOCAL_ATTRIBUTES,
      v6,
      "this speaker has no IPv6 address to give as next hop",
    ],
    [
      "IPv4 by IPv6 where it was not agreed on",
      INTERNAL,
      FROM_EXTERNAL,
      V6,
      {},
      "its next hop is IPv6, which the peer cannot take for IPv4 routes (RFC 8950)",
    ],
    ["IPv4 by IPv6 where it was", INTERNAL, FROM_EXTERNAL, V6, { extendedNextHop: true }, "fd00::2"],
    [
      "IPv4 by our own IPv6 address",
      { ...EXTERNAL, localAddresses: { 6: addressOf("fd00::11") } },
      OWN,
      LOCAL_ATTRIBUTES,
      { extendedNextHop: true },
      "fd00::11",
    ],
  ])("%s", (_name, config, origin, attributes, session, expected) => {
    const result = out(config, origin, attributes, session);
    expect(typeof result === "string" ? result : formatAddress(result.nextHop)).toBe(expected);
    expect(result).not.toHaveProperty("linkLocalNextHop");
  });

  it("our global and link-local addresses go out together (RFC 2545 3)", () => {
    const both = Uint8Array.of(...addressOf("fd00::11"), ...addressOf("fe80::11"));
    const terms = { ...termsOf(EXTERNAL, v6), ownNextHop: both };
    expect(exportAttributes(terms, OWN, LOCAL_ATTRIBUTES)).toMatchObject({
      nextHop: addressOf("fd00::11"),
      linkLocalNextHop: addressOf("fe80::11"),
    });
  });
});

describe("a route of a peer on this machine", () => {
  const OWN_ONLY = { exportScope: "originated" } as const;

  it("goes on where only own routes do, of whatever AS, and by us whatever nextHopMode says", () => {
    const told = (config: PeerConfig, origin: RouteOrigin) => exported(config, origin, LEARNED);
    const outside = "[64512 65002] via 10.0.0.11 lp undefined med undefined";
    const inside = "[65002] via 10.0.0.11 lp 150 med 7";
    for (const origin of [FROM_POD, FROM_INTERNAL_POD]) {
      for (const nextHopMode of ["Auto", "Self", "Keep"] as const) {
        expect(told({ ...EXTERNAL, ...OWN_ONLY, nextHopMode }, origin)).toBe(outside);
        expect(told({ ...INTERNAL, ...OWN_ONLY, nextHopMode }, origin)).toBe(inside);
      }
    }
    expect(told({ ...INTERNAL, ...OWN_ONLY }, FROM_EXTERNAL)).toBe("only own routes go to this peer");
  });

  it("keeps what it was marked with: NO_EXPORT holds it back", () => {
    expect(out(EXTERNAL, FROM_POD, withCommunities(Community.NoExport))).toBe("community NO_EXPORT");
  });
});

describe("reflection (RFC 4456)", () => {
  const EACH: readonly [string, RouteOrigin][] = [
    ["external", FROM_EXTERNAL],
    ["client", FROM_CLIENT],
    ["non-client", FROM_INTERNAL],
    ["own", OWN],
  ];
  it("from whom to whom", () => {
    const matrix = EACH.map(([name, origin]) => {
      const to = (config: PeerConfig) => typeof out(config, origin, LEARNED) !== "string";
      return [name, to(EXTERNAL), to(CLIENT), to(INTERNAL)];
    });
    expect(matrix).toEqual([
      ["external", true, true, true],
      ["client", true, true, true],
      ["non-client", true, true, false],
      ["own", true, true, true],
    ]);
  });

  it("what is reflected says where it entered the AS and which clusters it went through (8)", () => {
    const config = { ...CLIENT, clusterId: addressOf("192.0.2.9") };
    expect(out(config, FROM_CLIENT, LEARNED)).toMatchObject({
      originatorId: addressOf("10.0.0.2"),
      clusterList: [addressOf("192.0.2.9")],
      localPref: 150,
      med: 7,
      nextHop: LEARNED.nextHop,
      asPath: LEARNED.asPath,
    });
    const twice = { ...LEARNED, originatorId: addressOf("192.0.2.7"), clusterList: [addressOf("192.0.2.8")] };
    expect(out(config, FROM_INTERNAL, twice)).toMatchObject({
      originatorId: addressOf("192.0.2.7"),
      clusterList: [addressOf("192.0.2.9"), addressOf("192.0.2.8")],
    });
  });

  it("what was not reflected by us carries neither, nor does what leaves the AS", () => {
    const reflected = { ...LEARNED, originatorId: addressOf("192.0.2.7"), clusterList: [addressOf("192.0.2.8")] };
    for (const result of [
      out(CLIENT, FROM_EXTERNAL, LEARNED),
      out(CLIENT, OWN, LOCAL_ATTRIBUTES),
      out(EXTERNAL, FROM_CLIENT, reflected),
    ]) {
      expect(result).not.toHaveProperty("originatorId");
      expect(result).not.toHaveProperty("clusterList");
    }
  });
});

describe("a route server is transparent (RFC 7947 2.2)", () => {
  it("next hop, path, MED and communities go out as they came; LOCAL_PREF does not", () => {
    const config = { ...EXTERNAL, routeServerClient: true };
    const { localPref: _inside, ...outside } = { ...withCommunities(0x00010002), aggregator: undefined };
    expect(out(config, FROM_EXTERNAL, withCommunities(0x00010002))).toEqual({ ...outside, aggregator: undefined });
  });
});

describe("communities that govern export", () => {
  it.each<[string, PeerConfig, number, boolean]>([
    ["NO_EXPORT, external", EXTERNAL, Community.NoExport, false],
    ["NO_EXPORT, internal", INTERNAL, Community.NoExport, true],
    ["NO_EXPORT_SUBCONFED, external", EXTERNAL, Community.NoExportSubconfed, false],
    ["NO_EXPORT_SUBCONFED, internal", INTERNAL, Community.NoExportSubconfed, true],
    ["NO_ADVERTISE, external", EXTERNAL, Community.NoAdvertise, false],
    ["NO_ADVERTISE, internal", INTERNAL, Community.NoAdvertise, false],
    ["GRACEFUL_SHUTDOWN, internal", INTERNAL, Community.GracefulShutdown, true],
    ["NO_LLGR, external", EXTERNAL, Community.NoLlgr, true],
    ["LLGR_STALE to who does not know it", EXTERNAL, Community.LlgrStale, false],
    ["any other", EXTERNAL, 0xffffff05, true],
  ])("%s", (_name, config, community, goes) => {
    expect(typeof out(config, FROM_EXTERNAL, withCommunities(0x00010001, community)) !== "string").toBe(goes);
  });

  it("LLGR_STALE goes to who knows it (RFC 9494 4.3)", () => {
    const peerLongLived = [{ family: 4 as const, forwardingPreserved: true, staleTime: 60 }];
    const stale = withCommunities(Community.LlgrStale);
    expect(out(EXTERNAL, FROM_EXTERNAL, stale, { peerLongLived })).toMatchObject({ communities: stale.communities });
  });

  it("long-lived stale is said once (RFC 9494 4.2)", () => {
    const once = longLivedStale(LEARNED);
    expect(once.communities).toEqual([Community.LlgrStale]);
    expect(longLivedStale(once)).toBe(once);
  });

  it("a drain says GRACEFUL_SHUTDOWN once, and LOCAL_PREF 0 inside the AS (RFC 8326 4.2)", () => {
    const drain = { gracefulShutdown: true } as const;
    const communities = [0x00010001, Community.GracefulShutdown];
    expect(out({ ...EXTERNAL, ...drain }, OWN, { ...LOCAL_ATTRIBUTES, communities: [0x00010001] })).toMatchObject({
      communities,
    });
    expect(out({ ...INTERNAL, ...drain }, FROM_EXTERNAL, { ...LEARNED, communities })).toMatchObject({
      communities,
      localPref: 0,
    });
  });
});

describe("private AS numbers (RFC 6996 5)", () => {
  it.each<[string, number[][], string]>([
    ["all", [[64512, 65534, 4200000000]], "64999"],
    ["some", [[64511, 64512, 65535, 4294967294, 4294967295]], "64999 64511 65535 4294967295"],
    ["none", [[100, 200]], "64999 100 200"],
  ])("%s of the path's are left out towards this peer, ours is not", (_name, segments, expected) => {
    const asPath = segments.map((asNumbers) => ({ type: 2, asNumbers }));
    const config = { ...EXTERNAL, localAsNumber: 64999, removePrivateAs: true };
    const result = out(config, FROM_EXTERNAL, { ...LEARNED, asPath }) as PathAttributes;
    expect(formatAsPath(result.asPath)).toBe(expected);
  });
});

describe("only to customers, on the way out (RFC 9234 5)", () => {
  it.each<[Role, number | undefined, number | undefined | "stays"]>([
    ["provider", undefined, 64512],
    ["provider", 65002, 65002],
    ["rs", undefined, 64512],
    ["rs", 65002, 65002],
    ["peer", undefined, 64512],
    ["peer", 65002, "stays"],
    ["customer", undefined, undefined],
    ["customer", 65002, "stays"],
    ["rs-client", undefined, undefined],
    ["rs-client", 65002, "stays"],
  ])("we are %s, the route has %s: %s", (role, had, expected) => {
    const attributes = had === undefined ? LEARNED : { ...LEARNED, onlyToCustomer: had };
    const result = out({ ...EXTERNAL, role }, FROM_EXTERNAL, attributes);
    if (expected === "stays") expect(result).toBe(`only to customers (RFC 9234), our role is ${role}`);
    else expect((result as PathAttributes).onlyToCustomer).toBe(expected);
  });

  it("without roles the mark is passed on as it is", () => {
    expect(out(EXTERNAL, FROM_EXTERNAL, { ...LEARNED, onlyToCustomer: 65002 })).toMatchObject({
      onlyToCustomer: 65002,
    });
  });
});

describe("no policy, no routes (RFC 8212)", () => {
  it.each<[string, PeerConfig, boolean]>([
    ["external peer without filters", { ...EXTERNAL, requiresPolicy: true }, false],
    ["external peer with one", { ...EXTERNAL, requiresPolicy: true, exportChain: SAID_SOMETHING }, true],
    ["internal peer without filters", { ...INTERNAL, requiresPolicy: true }, true],
  ])("%s", (_name, config, goes) => {
    expect(typeof out(config, OWN, LOCAL_ATTRIBUTES) !== "string").toBe(goes);
  });
});
