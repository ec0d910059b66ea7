import { beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { containsPrefix, formatPrefix, type Prefix, prefixAround, prefixOf } from "../../ipam/net/prefix.ts";
import { peerAt, Wire } from "../../src/speaker/record-testing.ts";
import type { RecordedSpeaker } from "../../src/speaker/recorded-speaker.ts";
import type { Rule } from "../policy/filter.ts";
import { FamilyRib } from "../rib/family-rib.ts";
import { encodePrefix } from "../wire/nlri.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { announcements } from "../wire/testing.ts";
import { Inspection } from "./inspection.ts";
import { insideOf, longestMatch, prefixAsked } from "./prefix-search.ts";
import { atOnce } from "./types.ts";

let wire: Wire;
let speaker: RecordedSpeaker;
let inspection: Inspection;

const refuse = (prefix: string, by: string): Rule => {
  const within = prefixOf(prefix);
  const prefixes = { within, minLength: within.length, maxLength: 32, negated: false };
  return { by, prefixes, action: "Reject", operations: [] };
};

function chain(name: string, direction: "import" | "export", ...ipv4: Rule[]) {
  return { filters: [{ name, direction, ipv4, ipv6: [] }], otherwise: "Accept" as const, tags: [] };
}

/** 10.0.0.1 between r2 and r3, who announce 198.18.n.0/24 (n = 0 to 3); of r2 198.18.1.0/24 is refused. */
beforeEach(() => {
  wire = new Wire(1);
  speaker = wire.add("10.0.0.1");
  wire.add("10.0.0.2");
  wire.add("10.0.0.3");
  const prefixes = [0, 1, 2, 3].map((n) => prefixOf(`198.18.${n}.0/24`));
  wire.tell("10.0.0.2", { kind: "networks", prefixes });
  wire.tell("10.0.0.3", { kind: "networks", prefixes: prefixes.slice(1) });
  const importChain = chain("edge", "import", refuse("198.18.1.0/24", "filter edge, rule 1 (importV4[0])"));
  const exportChain = chain("out", "export", refuse("198.18.2.0/24", "filter out, rule 1 (exportV4[0])"));
  const addPath = { send: true, receive: true };
  wire.tell("10.0.0.1", {
    kind: "peers",
    peers: [peerAt(1, 2, { importChain }), peerAt(1, 3, { exportChain }), peerAt(1, 4, { enabled: false })],
  });
  wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1, { passive: true, addPath })] });
  wire.tell("10.0.0.3", { kind: "peers", peers: [peerAt(3, 1, { passive: true, addPath })] });
  wire.run(3000);
  const wall = (time: number) => new Date(time).toISOString();
  inspection = new Inspection({ speaker, now: () => wire.now, wall, isInstalled: ({ address }) => address[2] !== 3 });
});

function hear(peer: number, prefixes: readonly string[], attributes: Partial<PathAttributes>): void {
  const connection = speaker.neighbors[peer]?.peer.session?.connection ?? 0;
  const all: PathAttributes = {
    origin: 0,
    asPath: [{ type: 2, asNumbers: [65002 + peer] }],
    nextHop: addressOf("10.0.0.2"),
    ...attributes,
  };
  for (const octets of announcements(4, prefixes.map(prefixOf), all) ?? []) {
    wire.tell("10.0.0.1", { kind: "received", connection, octets });
  }
  wire.run(100);
}

describe("explain", () => {
  it("names the filter and rule that refused a path, and the one that kept it from a peer", () => {
    const one = inspection.explain("198.18.1.0/24");
    expect(one).toMatchObject({
      asked: "198.18.1.0/24",
      prefix: "198.18.1.0/24",
      decidedBy: "only",
      kernel: "installed",
    });
    expect(one.candidates.map(({ peer, best, problem }) => [peer, best, problem])).toEqual([
      ["r3", true, undefined],
      ["r2", false, "filter edge, rule 1 (importV4[0])"],
    ]);
    expect(inspection.explain("198.18.2.0/24").exports).toMatchObject([
      { peer: "r2", exported: false, why: "the best path came from this peer" },
      { peer: "r3", exported: false, why: "filter out, rule 1 (exportV4[0])" },
      { peer: "r4", exported: false, why: "no session (Idle)" },
    ]);
    expect(inspection.explain("198.18.1.0/24").exports[0]).toMatchObject({
      exported: true,
      why: "no export filter",
      attributes: { asPath: "65001 65003", nextHop: "10.0.0.1" },
    });
  });

  it("says loops, next hops out of reach, and what the kernel has not", () => {
    hear(0, ["198.18.8.0/24"], { asPath: [{ type: 2, asNumbers: [65002, 65001] }] });
    hear(0, ["198.18.9.0/24"], { nextHop: addressOf("172.16.0.9") });
    expect(inspection.explain("198.18.8.1").candidates[0]?.problem).toBe("loop: AS 65001 is in AS_PATH");
    const far = inspection.explain("198.18.9.1");
    expect(far.candidates[0]).toMatchObject({ best: false });
    expect(far.candidates[0]?.problem).toMatch(/^next hop 172\.16\.0\.9 is unreachable/);
    expect([far.decidedBy, far.forwarding, far.kernel]).toEqual([undefined, undefined, "it is about to go"]);
    expect(inspection.explain("198.18.3.9")).toMatchObject({
      forwarding: ["10.0.0.2%2", "10.0.0.3%2"],
      kernel: "not installed: it is on its way, or the kernel refused it",
    });
  });

  it("shows what import rules changed, beside what came", () => {
    hear(0, ["198.18.7.0/24"], { communities: [0xffff0000] });
    const { candidates } = inspection.explain("198.18.7.0/24");
    expect(candidates[0]?.attributes.localPref).toBe(0);
    expect(candidates[0]?.received).toEqual({
      origin: "igp",
      asPath: "65002",
      nextHop: "10.0.0.2",
      communities: ["graceful-shutdown"],
    });
  });

  it("of something that nobody announces has nothing to say, of nonsense says so", () => {
    expect(inspection.explain("9.9.9.9")).toEqual({ asked: "9.9.9.9", candidates: [], exports: [] });
    expect(() => inspection.explain("nine")).toThrow('"nine" is neither a prefix');
    expect(() => inspection.explain("10.0.0.1/8")).toThrow("10.0.0.0/8 is the prefix");
  });
});

describe("routes", () => {
  const texts = (query: Parameters<Inspection["routes"]>[0]) =>
    [...inspection.routes(query)].flat().map(({ prefix, peer, pathID }) => `${prefix} ${peer} ${pathID ?? ""}`.trim());

  it("of a peer come as it announced them, refused ones with their reason", () => {
    const routes = [...inspection.routes({ from: "r2" })].flat();
    expect(routes.map(({ prefix, problem }) => [prefix, problem])).toEqual([
      ["198.18.0.0/24", undefined],
      ["198.18.1.0/24", "filter edge, rule 1 (importV4[0])"],
      ["198.18.2.0/24", undefined],
      ["198.18.3.0/24", undefined],
    ]);
    expect(texts({ from: "nobody" })).toEqual([]);
  });

  it("to a peer with add-path are every path, each under its identifier", () => {
    wire.tell("10.0.0.1", {
      kind: "peers",
      peers: [peerAt(1, 2), peerAt(1, 3, { addPath: { send: true, receive: false } })],
    });
    wire.run(20_000);
    hear(0, ["198.18.3.0/24"], { med: 7 });
    const told = texts({ to: "r3", prefix: "198.18.3.0/24" });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^198\.18\.3\.0\/24 r2 \d+$/);
    const { exports } = inspection.explain("198.18.3.0/24");
    expect(exports[1]).toMatchObject({ peer: "r3", exported: true, attributes: { asPath: "65001 65002" } });
  });
});

describe("peers", () => {
  it("keep the routes of one that is away, and say until when", () => {
    const connection = speaker.neighbors[0]?.peer.session?.connection ?? 0;
    wire.tell("10.0.0.1", { kind: "closed", connection, reason: "connection reset by peer" });
    const peer = atOnce(inspection.peer("r2"));
    expect(peer?.families[0]).toMatchObject({ received: 4, stale: 4, advertised: 0 });
    expect(peer?.restart.stale).toMatchObject([{ family: "ipv4-unicast", phase: "away", routes: 4 }, { routes: 0 }]);
    expect(peer?.lastError).toMatch(/connection reset by peer/);
    const [route] = [...inspection.routes({ prefix: "198.18.0.0/24" })].flat();
    expect(route).toMatchObject({ peer: "r2", stale: true });
  });

  it("are found by name, or by an address that is theirs alone", () => {
    expect(inspection.findPeer("r3")).toBe("r3");
    expect(inspection.findPeer("10.0.0.3")).toBe("r3");
    expect(inspection.findPeer("10.0.0.9")).toBeUndefined();
    expect(atOnce(inspection.peer("r9"))).toBeUndefined();
    expect(atOnce(inspection.peers()).map(({ name, enabled }) => [name, enabled])).toEqual([
      ["r2", true],
      ["r3", true],
      ["r4", false],
    ]);
  });
});

describe("a search for prefixes", () => {
  const prefixes = fc
    .tuple(fc.constantFrom(4 as const, 16 as const), fc.nat({ max: 3 }), fc.nat({ max: 255 }), fc.nat({ max: 40 }))
    .map(([width, a, b, length]): Prefix => {
      const address = new Uint8Array(width);
      address.set([10 + a, b, b >> 3, a]);
      return prefixAround(address, Math.min(length, width * 8));
    });

  it("finds what lies inside, and what covers longest, as one that looks at each does", () => {
    fc.assert(
      fc.property(fc.array(prefixes, { maxLength: 40 }), prefixes, (list, asked) => {
        const width = asked.address.length;
        const table = new FamilyRib(width === 4 ? 4 : 6, 64);
        const same = list.filter(({ address }) => address.length === width);
        for (const prefix of same) table.paths.add(table.prefixes.intern(encodePrefix(prefix), 0), 1, 0, 0, 0);
        const inside = insideOf(table, asked);
        const found = [...table.prefixes.ids()].filter(inside).map((id) => formatPrefix(table.prefixes.prefix(id)));
        const unique = (some: Prefix[]) => [...new Set(some.map(formatPrefix))].sort();
        expect(found.sort()).toEqual(unique(same.filter((prefix) => containsPrefix(asked, prefix))));
        const covering = same.filter((prefix) => containsPrefix(prefix, asked)).sort((a, b) => b.length - a.length);
        const match = longestMatch(table, asked);
        const longest = match === undefined ? undefined : formatPrefix(table.prefixes.prefix(match));
        expect(longest).toBe(covering[0] && formatPrefix(covering[0]));
      }),
    );
  });

  it("takes an address for its host route", () => {
    expect(formatPrefix(prefixAsked("192.0.2.1"))).toBe("192.0.2.1/32");
    expect(formatPrefix(prefixAsked("2001:db8::1"))).toBe("2001:db8::1/128");
  });
});
