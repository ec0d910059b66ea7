import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { Columns, Community, gatherColumns } from "../rib/attribute-columns.ts";
import { AttributeTable, NO_SET } from "../rib/attribute-table.ts";
import { NextHops } from "../rib/next-hops.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig, Role } from "../session/peer-config.ts";
import { PEER_CONFIG as EXTERNAL, NEGOTIATED } from "../session/testing.ts";
import { encodeCanonical } from "../wire/encode-attributes.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import type { FilterChain } from "./chain.ts";
import { compileFilter } from "./compile-filter.ts";
import { ImportRules } from "./import.ts";

const INTERNAL: PeerConfig = { ...EXTERNAL, asNumber: 64512 };
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

const withCommunities = (...communities: number[]): PathAttributes => ({ ...LEARNED, communities });

/** What is in force of a received path, or in words why nothing is. */
function imported(config: PeerConfig, received: PathAttributes, session: Partial<Negotiated> = {}) {
  const nextHops = new NextHops();
  const table = new AttributeTable(nextHops, 8);
  const external = config.asNumber !== config.localAsNumber;
  const negotiated = { ...NEGOTIATED, external, role: config.role, ...session };
  const rules = new ImportRules(table, nextHops, config, negotiated, undefined);
  const set = table.intern(received, 0);
  const prefix = prefixOf("10.1.0.0/16");
  const inForce = rules.inForce(set, () => prefix);
  const { accept, by } = rules.explain(set, prefix);
  expect(accept).toBe(inForce !== NO_SET);
  const result = inForce === NO_SET ? by : table.attributes(inForce);
  if (inForce !== NO_SET && inForce !== set) table.release(inForce);
  table.release(set);
  expect(table.size).toBe(0);
  return result;
}

describe("a peer on this machine", () => {
  it("says routes to its own address, and no other", () => {
    const config = { ...EXTERNAL, attached: true, address: LEARNED.nextHop };
    expect(imported(config, LEARNED)).toEqual(LEARNED);
    expect(imported(config, { ...LEARNED, nextHop: addressOf("10.0.0.3") })).toBe(
      "the next hop 10.0.0.3 is not the peer's own address: its routes lead nowhere else",
    );
  });
});

describe("an import filter", () => {
  it("takes MED off a route before anything is compared (RFC 4271 5.1.4)", () => {
    const filter = compileFilter("f", { importV4: [{ action: "Accept", operations: [{ removeMED: {} }] }] }, "import");
    const config = { ...EXTERNAL, importChain: { filters: [filter], otherwise: "Accept" as const, tags: [] } };
    const { med: _med, ...without } = LEARNED;
    expect(imported(config, LEARNED)).toEqual(without);
    expect(imported(config, without)).toEqual(without);
  });
});

describe("import (RFC 4271 9.1.2, RFC 4456 8)", () => {
  const path = (...asNumbers: number[]) => ({ asPath: [{ type: 2, asNumbers }] });
  it.each<[string, PeerConfig, Partial<PathAttributes>, string | undefined]>([
    ["a good route", EXTERNAL, {}, undefined],
    ["our AS in the path", EXTERNAL, path(65001, 64512), "loop: AS 64512 is in AS_PATH"],
    ["as often as allowed", { ...EXTERNAL, numAllowedLocalAsNumbers: 1 }, path(65001, 64512), undefined],
    [
      "more often than allowed",
      { ...EXTERNAL, numAllowedLocalAsNumbers: 1 },
      path(64512, 65001, 64512),
      "loop: AS 64512 is in AS_PATH 2 times",
    ],
    [
      "we are its originator",
      INTERNAL,
      { originatorId: INTERNAL.routerId },
      "loop: this speaker is the ORIGINATOR_ID (RFC 4456 8)",
    ],
    ["somebody else is", INTERNAL, { originatorId: addressOf("192.0.2.7") }, undefined],
    [
      "our cluster in its list",
      { ...INTERNAL, clusterId: addressOf("192.0.2.9") },
      { clusterList: [addressOf("192.0.2.8"), addressOf("192.0.2.9")] },
      "loop: this cluster is in CLUSTER_LIST (RFC 4456 8)",
    ],
    ["other clusters", INTERNAL, { clusterList: [addressOf("192.0.2.8")] }, undefined],
    ["next hop 0.0.0.0", EXTERNAL, { nextHop: addressOf("0.0.0.0") }, "the next hop is unspecified"],
    ["next hop 127.0.0.1", EXTERNAL, { nextHop: addressOf("127.0.0.1") }, "the next hop is a loopback address"],
    ["next hop 224.0.0.1", EXTERNAL, { nextHop: addressOf("224.0.0.1") }, "the next hop is a multicast address"],
    [
      "next hop 255.255.255.255",
      EXTERNAL,
      { nextHop: addressOf("255.255.255.255") },
      "the next hop is no host address",
    ],
    ["next hop ff02::1", EXTERNAL, { nextHop: addressOf("ff02::1") }, "the next hop is a multicast address"],
    ["ourselves as next hop", EXTERNAL, { nextHop: addressOf("10.0.0.11") }, "the next hop is this speaker itself"],
  ])("%s", (_name, config, change, problem) => {
    const result = imported(config, { ...LEARNED, ...change });
    if (problem === undefined) expect(result).toEqual({ ...LEARNED, ...change });
    else expect(result).toBe(problem);
  });

  it("an internal peer's route without LOCAL_PREF counts as 100", () => {
    const { localPref: _localPref, ...without } = LEARNED;
    expect(imported(INTERNAL, without)).toEqual(without);
    const row = new Columns();
    const octets = encodeCanonical(without);
    gatherColumns(octets, 0, octets.length, row);
    expect(row.localPref).toBe(100);
  });

  it("GRACEFUL_SHUTDOWN of an external peer makes a route the least preferred (RFC 8326 4.1)", () => {
    const leaving = withCommunities(Community.GracefulShutdown);
    expect(imported(EXTERNAL, leaving)).toEqual({ ...leaving, localPref: 0 });
    // Inside the AS whoever let the route in has said so already.
    expect(imported(INTERNAL, leaving)).toEqual(leaving);
  });
});

describe("only to customers, on the way in (RFC 9234 5)", () => {
  const FROM_CUSTOMER = "route leak: a customer passes on what is only for customers";
  const FROM_PEER = "route leak: a peer passes on what is not its own";
  it.each<[Role, number | undefined, number | undefined | string]>([
    ["provider", undefined, undefined],
    ["provider", 65001, FROM_CUSTOMER],
    ["rs", undefined, undefined],
    ["rs", 65001, FROM_CUSTOMER],
    ["peer", undefined, 65001],
    ["peer", 65001, 65001],
    ["peer", 65009, FROM_PEER],
    ["customer", undefined, 65001],
    ["customer", 65009, 65009],
    ["rs-client", undefined, 65001],
    ["rs-client", 65009, 65009],
  ])("we are %s, the route has %s: %s", (role, had, expected) => {
    const attributes = had === undefined ? LEARNED : { ...LEARNED, onlyToCustomer: had };
    const result = imported({ ...EXTERNAL, role }, attributes);
    if (typeof expected === "string") expect(result).toBe(expected);
    else expect((result as PathAttributes).onlyToCustomer).toBe(expected);
  });
});

describe("no policy, no routes (RFC 8212)", () => {
  it("without a filter nothing of an external peer comes in", () => {
    const config = { ...EXTERNAL, requiresPolicy: true };
    expect(imported(config, LEARNED)).toContain("RFC 8212");
    expect(imported({ ...config, importChain: SAID_SOMETHING }, LEARNED)).toMatchObject({ med: 7 });
    expect(imported({ ...INTERNAL, requiresPolicy: true }, LEARNED)).toMatchObject({ med: 7 });
  });
});
