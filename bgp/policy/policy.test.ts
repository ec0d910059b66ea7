import { describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { PEER_CONFIG as EXTERNAL } from "../session/testing.ts";
import { formatAsPath } from "../wire/as-path.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { exportRoute, LOCAL_ATTRIBUTES, type RouteSource } from "./export.ts";
import { importProblem } from "./import.ts";

const INTERNAL: PeerConfig = { ...EXTERNAL, asNumber: 64512 };
const LEARNED: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65002] }],
  nextHop: addressOf("10.0.0.2"),
  med: 7,
  localPref: 150,
};

/** What goes out, in one line. */
function exported(peer: PeerConfig, source: RouteSource, attributes: PathAttributes, family: 4 | 6 = 4): string {
  const out = exportRoute(peer, family, source, attributes);
  if (typeof out === "string") return out;
  const { nextHop, asPath, localPref, med } = out;
  return `[${formatAsPath(asPath)}] via ${formatAddress(nextHop)} lp ${localPref} med ${med}`;
}

describe("export (RFC 4271 9.2, 5.1)", () => {
  it.each<[string, PeerConfig, RouteSource, PathAttributes, string]>([
    [
      "own route to an external peer",
      EXTERNAL,
      "local",
      LOCAL_ATTRIBUTES,
      "[64512] via 10.0.0.11 lp undefined med undefined",
    ],
    ["own route to an internal peer", INTERNAL, "local", LOCAL_ATTRIBUTES, "[] via 10.0.0.11 lp 100 med undefined"],
    [
      "learned route to an external peer",
      EXTERNAL,
      "external",
      LEARNED,
      "[64512 65002] via 10.0.0.11 lp undefined med undefined",
    ],
    ["external route to an internal peer", INTERNAL, "external", LEARNED, "[65002] via 10.0.0.2 lp 150 med 7"],
    [
      "the same with next hop self",
      { ...INTERNAL, nextHopMode: "Self" },
      "external",
      LEARNED,
      "[65002] via 10.0.0.11 lp 150 med 7",
    ],
    [
      "learned route, next hop kept",
      { ...EXTERNAL, nextHopMode: "Keep" },
      "external",
      LEARNED,
      "[64512 65002] via 10.0.0.2 lp undefined med undefined",
    ],
    ["internal route to an internal peer", INTERNAL, "internal", LEARNED, "learned from an internal peer"],
    [
      "internal route to an external peer",
      EXTERNAL,
      "internal",
      LEARNED,
      "[64512 65002] via 10.0.0.11 lp undefined med undefined",
    ],
    [
      "learned route where only own ones go",
      { ...EXTERNAL, exportScope: "originated" },
      "external",
      LEARNED,
      "only own routes go to this peer",
    ],
    ["NO_EXPORT to an external peer", EXTERNAL, "external", { ...LEARNED, communities: [0xffffff01] }, "NO_EXPORT"],
    [
      "NO_EXPORT to an internal peer",
      INTERNAL,
      "external",
      { ...LEARNED, communities: [0xffffff01] },
      "[65002] via 10.0.0.2 lp 150 med 7",
    ],
    ["NO_ADVERTISE", INTERNAL, "external", { ...LEARNED, communities: [0xffffff02] }, "NO_ADVERTISE"],
    [
      "another AS towards this peer",
      { ...EXTERNAL, localAsNumber: 65100 },
      "local",
      LOCAL_ATTRIBUTES,
      "[65100] via 10.0.0.11 lp undefined med undefined",
    ],
  ])("%s", (_name, peer, source, attributes, expected) => {
    expect(exported(peer, source, attributes)).toBe(expected);
  });

  it("a family without an address of our own is not announced, and says so", () => {
    expect(exported(EXTERNAL, "local", LOCAL_ATTRIBUTES, 6)).toBe(
      "this speaker has no IPv6 address to give as next hop",
    );
  });
});

describe("import (RFC 4271 9.1.2)", () => {
  it.each<[string, PeerConfig, boolean, Partial<PathAttributes>, string | undefined]>([
    ["a good route", EXTERNAL, true, {}, undefined],
    [
      "our AS in the path",
      EXTERNAL,
      true,
      { asPath: [{ type: 2, asNumbers: [65001, 64512] }] },
      "AS 64512 is in the path 1 times",
    ],
    [
      "our AS as often as allowed",
      { ...EXTERNAL, numAllowedLocalAsNumbers: 1 },
      true,
      { asPath: [{ type: 2, asNumbers: [65001, 64512] }] },
      undefined,
    ],
    ["we are its originator", INTERNAL, false, { originatorId: INTERNAL.routerId }, "this speaker is its originator"],
    ["next hop 0.0.0.0", EXTERNAL, true, { nextHop: addressOf("0.0.0.0") }, "the next hop is unspecified"],
    ["next hop 127.0.0.1", EXTERNAL, true, { nextHop: addressOf("127.0.0.1") }, "the next hop is a loopback address"],
    ["next hop 224.0.0.1", EXTERNAL, true, { nextHop: addressOf("224.0.0.1") }, "the next hop is a multicast address"],
    [
      "next hop 255.255.255.255",
      EXTERNAL,
      true,
      { nextHop: addressOf("255.255.255.255") },
      "the next hop is no host address",
    ],
    ["next hop ff02::1", EXTERNAL, true, { nextHop: addressOf("ff02::1") }, "the next hop is a multicast address"],
    [
      "ourselves as next hop",
      EXTERNAL,
      true,
      { nextHop: addressOf("10.0.0.11") },
      "the next hop is this speaker itself",
    ],
  ])("%s", (_name, peer, external, change, problem) => {
    expect(importProblem(peer, external, { ...LEARNED, ...change })).toBe(problem);
  });

  it("an internal peer's route without LOCAL_PREF cannot be used (RFC 7606 3 d)", () => {
    const { localPref: _localPref, ...without } = LEARNED;
    expect(importProblem(INTERNAL, false, without)).toBe("LOCAL_PREF is missing");
    expect(importProblem(EXTERNAL, true, without)).toBeUndefined();
  });
});
