import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../ipam/net/address.ts";
import { ourOpen } from "./session/negotiate.ts";
import type { PeerConfig, PeerRange } from "./session/peer-config.ts";
import { PEER_CONFIG } from "./session/testing.ts";
import { Speaker } from "./speaker.ts";
import { encodeKeepalive, frame } from "./wire/framer.ts";
import { encodeOpen } from "./wire/open.ts";

const GUEST = addressOf("10.1.0.7");
const RANGE: PeerRange = {
  range: { address: addressOf("10.1.0.0"), length: 16 },
  template: { ...PEER_CONFIG, name: "rack", asNumber: 0, passive: true, restartTime: undefined },
};
const CLOSED = Number.POSITIVE_INFINITY;

const HELLO = encodeOpen(
  ourOpen(
    { ...PEER_CONFIG, localAsNumber: 65009, asNumber: 64512, routerId: GUEST, holdTime: 0 },
    { restarted: false, forwardingPreserved: false },
  ),
);

/** ORIGIN, AS_PATH 65009, NEXT_HOP 10.1.0.7; then the prefixes 10.200.<n>.0/24. */
function announcement(count: number): Uint8Array {
  const nlri = Array.from({ length: count }, (_, n) => [24, 10, 200, n]).flat();
  const attributes = Buffer.from("40010100 40020602010000fdf1 4003040a010007".replaceAll(" ", ""), "hex");
  return frame(2, Uint8Array.from([0, 0, 0, attributes.length, ...attributes, ...nlri]));
}

function speakerWith(peers: readonly PeerConfig[], ranges: readonly PeerRange[]): Speaker {
  const speaker = new Speaker({ random: () => 1, restarting: false });
  speaker.tell({ kind: "peers", peers, ranges }, 0);
  speaker.work(0);
  return speaker;
}

/** What it does, in words: `send 1 NOTIFICATION 6/5`, `close 1`, `dial 2`. */
function done(speaker: Speaker, now: number): string[] {
  return speaker.work(now).flatMap((work) => {
    if (work.kind === "event") return [];
    if (work.kind !== "send") return [`${work.kind} ${work.connection}`];
    const [type, code, subcode] = work.octets.subarray(18);
    return type === 3 ? [`send ${work.connection} NOTIFICATION ${code}/${subcode}`] : [];
  });
}

function visit(speaker: Speaker, connection: number, now: number): void {
  speaker.tell({ kind: "accepted", connection, address: GUEST }, now);
  speaker.tell({ kind: "received", connection, octets: HELLO }, now);
  speaker.tell({ kind: "received", connection, octets: encodeKeepalive() }, now);
  expect(done(speaker, now)).toEqual([]);
  expect(speaker.neighbors.map(({ peer }) => peer.state)).toEqual(["Established"]);
}

const ranged = (change: Partial<PeerConfig> = {}) =>
  speakerWith([], [{ ...RANGE, template: { ...RANGE.template, ...change } }]);

describe("whoever connects", () => {
  it("and is not known is told so (RFC 4486 4)", () => {
    const speaker = speakerWith([PEER_CONFIG], []);
    speaker.tell({ kind: "accepted", connection: 1, address: GUEST }, 0);
    expect(done(speaker, 0)).toEqual(["send 1 NOTIFICATION 6/5", "close 1"]);
  });

  it("from a range is a peer for as long as the session lasts, of whatever AS", () => {
    const speaker = ranged({ holdTime: 0 });
    visit(speaker, 1, 0);
    expect(speaker.neighbor("rack/10.1.0.7")?.peer.session?.negotiated.asNumber).toBe(65009);
    expect(speaker.nextDue(0)).toBe(CLOSED);
    speaker.tell({ kind: "closed", connection: 1, reason: "reset" }, 1000);
    speaker.work(1000);
    expect([speaker.neighbors, speaker.nextDue(1000)]).toEqual([[], CLOSED]);
  });

  it("from a range and says nothing useful is gone again", () => {
    const speaker = ranged();
    speaker.tell({ kind: "accepted", connection: 1, address: GUEST }, 0);
    speaker.tell({ kind: "received", connection: 1, octets: new Uint8Array(19) }, 0);
    expect(done(speaker, 0)).toEqual(["send 1 NOTIFICATION 1/1", "close 1"]);
    expect([speaker.neighbors, speaker.nextDue(0)]).toEqual([[], CLOSED]);
  });

  it("from a range with too many prefixes is refused until its time, and then forgotten", () => {
    const maxPrefixes = { limit: 2, action: "restart", restartAfter: 60 } as const;
    const speaker = ranged({ maxPrefixes });
    visit(speaker, 1, 0);
    speaker.tell({ kind: "received", connection: 1, octets: announcement(3) }, 1000);
    expect(done(speaker, 1000)).toEqual(["send 1 NOTIFICATION 6/1", "close 1"]);
    expect(speaker.nextDue(1000)).toBe(61_000);
    speaker.tell({ kind: "accepted", connection: 3, address: GUEST }, 60_000);
    expect(done(speaker, 60_000)).toEqual(["send 3 NOTIFICATION 6/5", "close 3"]);
    speaker.work(61_000);
    expect([speaker.neighbors, speaker.nextDue(61_000)]).toEqual([[], CLOSED]);
  });

  it("from a range stays out once it is disabled, until it is enabled", () => {
    const speaker = ranged();
    visit(speaker, 1, 0);
    speaker.tell({ kind: "disable", peer: "rack/10.1.0.7", message: "" }, 1000);
    expect(done(speaker, 1000)).toEqual(["send 1 NOTIFICATION 6/2", "close 1"]);
    expect(speaker.nextDue(1000)).toBe(CLOSED);
    speaker.tell({ kind: "accepted", connection: 3, address: GUEST }, 2000);
    expect(done(speaker, 2000)).toEqual(["send 3 NOTIFICATION 6/5", "close 3"]);
    speaker.tell({ kind: "enable", peer: "rack/10.1.0.7" }, 3000);
    speaker.work(3000);
    expect(speaker.neighbors).toEqual([]);
    visit(speaker, 5, 4000);
  });
});

describe("a link-local caller", () => {
  const NEAR = addressOf("fe80::1");
  const hello = (speaker: Speaker, connection: number, device: string) => {
    speaker.tell({ kind: "accepted", connection, address: NEAR, device }, 0);
    speaker.tell({ kind: "received", connection, octets: HELLO }, 0);
    speaker.tell({ kind: "received", connection, octets: encodeKeepalive() }, 0);
  };
  const sessions = (speaker: Speaker) =>
    speaker.neighbors.map(({ peer }) => [peer.config.name, peer.session?.connection]);

  it("is the peer of its interface, though two have its address", () => {
    const peer = { ...PEER_CONFIG, address: NEAR, asNumber: 65009, passive: true };
    const peers = ["eth0", "eth1"].map((device) => ({ ...peer, name: device, device }));
    const speaker = speakerWith(peers, []);
    hello(speaker, 1, "eth1");
    hello(speaker, 3, "eth0");
    expect(done(speaker, 0)).toEqual([]);
    expect(sessions(speaker)).toEqual([
      ["eth0", 3],
      ["eth1", 1],
    ]);
    speaker.tell({ kind: "accepted", connection: 5, address: NEAR, device: "eth2" }, 0);
    expect(done(speaker, 0)).toEqual(["send 5 NOTIFICATION 6/5", "close 5"]);
  });

  it("from a range is a peer of its interface too", () => {
    const range = { address: addressOf("fe80::"), length: 10 };
    const speaker = speakerWith([], [{ ...RANGE, range }]);
    hello(speaker, 1, "eth0");
    hello(speaker, 3, "eth1");
    expect(done(speaker, 0)).toEqual([]);
    expect(sessions(speaker)).toEqual([
      ["rack/fe80::1%eth0", 1],
      ["rack/fe80::1%eth1", 3],
    ]);
    speaker.tell({ kind: "peers", peers: [], ranges: [{ ...RANGE, range }] }, 1);
    expect(done(speaker, 1)).toEqual([]);
    expect(sessions(speaker)).toHaveLength(2);
  });
});

describe("a change from outside", () => {
  it.each<[string, readonly PeerConfig[], string]>([
    ["a peer shut down by configuration", [{ ...PEER_CONFIG, enabled: false }], "6/2"],
    ["another configuration", [{ ...PEER_CONFIG, holdTime: 30 }], "6/6"],
    ["no such peer any more", [], "6/3"],
  ])("%s: the session ends with its own word", (_name, peers, word) => {
    const speaker = speakerWith([{ ...PEER_CONFIG, address: GUEST, asNumber: 65009 }], []);
    visitKnown(speaker);
    speaker.tell({ kind: "peers", peers: peers.map((peer) => ({ ...peer, address: GUEST, asNumber: 65009 })) }, 1000);
    expect(done(speaker, 1000).slice(0, 2)).toEqual([`send 1 NOTIFICATION ${word}`, "close 1"]);
  });

  it("nothing brings a speaker back that was shut down", () => {
    const speaker = speakerWith([{ ...PEER_CONFIG, address: GUEST, asNumber: 65009 }], []);
    visitKnown(speaker);
    speaker.tell({ kind: "shutdown", message: "over" }, 1000);
    expect(done(speaker, 1000)).toEqual(["send 1 NOTIFICATION 6/2", "close 1"]);
    speaker.tell({ kind: "reset", peer: "tor1", soft: false, message: "" }, 2000);
    speaker.tell({ kind: "accepted", connection: 3, address: GUEST }, 2000);
    expect(done(speaker, 2000)).toEqual(["send 3 NOTIFICATION 6/5", "close 3"]);
    expect(speaker.nextDue(2000)).toBe(CLOSED);
  });
});

/** The peer's own connection wins, ours is given up. */
function visitKnown(speaker: Speaker): void {
  speaker.tell({ kind: "closed", connection: 2, reason: "refused" }, 0);
  speaker.work(0);
  visit(speaker, 1, 0);
}

describe("thousands of peers that are down", () => {
  it("are all tried again and again, without a look at all of them for each one's timer", () => {
    const [count, end] = [2_000, 8_000];
    let state = 1;
    const random = () => {
      state = (state * 48271) % 0x7fffffff;
      return state / 0x7fffffff;
    };
    const peers = Array.from({ length: count }, (_, n) => {
      return { ...PEER_CONFIG, name: `p${n}`, address: addressOf(`10.2.${n >> 8}.${n & 255}`), connectRetryTime: 5 };
    });
    const speaker = new Speaker({ random, restarting: false });
    speaker.tell({ kind: "peers", peers }, 0);
    let [looks, dials] = [0, 0];
    for (let now = 0; now < end; now = Math.max(now, speaker.nextDue(now))) {
      looks++;
      for (const work of speaker.work(now)) {
        if (work.kind !== "dial") continue;
        dials++;
        speaker.tell({ kind: "closed", connection: work.connection, reason: "refused" }, now);
      }
    }
    expect(dials).toBeGreaterThan(count);
    expect(looks).toBeLessThan(dials / 2);
  });
});
