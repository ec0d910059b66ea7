import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../ipam/net/address.ts";
import { ourOpen } from "./session/negotiate.ts";
import type { PeerConfig, PrefixLimit } from "./session/peer-config.ts";
import { PEER_CONFIG } from "./session/testing.ts";
import { Speaker } from "./speaker.ts";
import { encodeKeepalive, frame } from "./wire/framer.ts";
import { encodeOpen } from "./wire/open.ts";

const ADDRESS = addressOf("10.1.0.7");
const AS = 65009;
const PEER: PeerConfig = { ...PEER_CONFIG, address: ADDRESS, asNumber: AS, passive: true, holdTime: 0 };
const HELLO = encodeOpen(
  ourOpen(
    { ...PEER, localAsNumber: AS, asNumber: PEER.localAsNumber, routerId: ADDRESS },
    { restarted: false, forwardingPreserved: false },
  ),
);
const WORDS: Readonly<Record<number, string>> = { 3: "NOTIFICATION", 5: "ROUTE-REFRESH" };

const limited = (limit: number, action: PrefixLimit["action"]): PeerConfig => ({
  ...PEER,
  maxPrefixes: { limit, action, restartAfter: 60 },
});

/** ORIGIN, AS_PATH 65009, NEXT_HOP 10.1.0.7; then the prefixes 10.200.<n>.0/24. */
function announcement(count: number): Uint8Array {
  const nlri = Array.from({ length: count }, (_, n) => [24, 10, 200, n]).flat();
  const attributes = Buffer.from("40010100 40020602010000fdf1 4003040a010007".replaceAll(" ", ""), "hex");
  return frame(2, Uint8Array.from([0, 0, 0, attributes.length, ...attributes, ...nlri]));
}

/** A session over which so many prefixes have come, with what was said of limits and done about them. */
class Limited {
  readonly #speaker = new Speaker({ random: () => 1, restarting: false });

  constructor(config: PeerConfig, prefixes: number) {
    this.configure(config);
    this.#speaker.tell({ kind: "accepted", connection: 1, address: ADDRESS }, 0);
    this.#receives(HELLO);
    this.#receives(encodeKeepalive());
    this.done();
    this.#receives(announcement(prefixes));
  }

  configure(config: PeerConfig): void {
    this.#speaker.tell({ kind: "peers", peers: [config] }, 0);
  }

  get received(): number | undefined {
    return this.#speaker.neighbors[0]?.received(4);
  }

  done(): string[] {
    return this.#speaker.work(0).flatMap((work) => {
      if (work.kind === "event") return work.event.kind === "prefix-limit" ? [work.event.text] : [];
      if (work.kind !== "send") return [work.kind];
      const word = WORDS[work.octets[18] as number];
      return word === undefined ? [] : [`${word} ${work.octets[19]}/${work.octets[20]}`];
    });
  }

  #receives(octets: Uint8Array): void {
    this.#speaker.tell({ kind: "received", connection: 1, octets }, 0);
  }
}

const OVER = "3 IPv4 prefixes, the limit is 2:";

describe("a limit that changes within the session", () => {
  it("blocks no more: what it kept out is asked for (RFC 2918)", () => {
    const peer = new Limited(limited(2, "block"), 3);
    expect(peer.done()).toEqual(["2 IPv4 prefixes, the limit is 2: no more are taken"]);
    expect(peer.received).toBe(2);
    peer.configure(limited(9, "block"));
    expect(peer.done()).toEqual(["ROUTE-REFRESH 0/1"]);
  });

  it("is held at once where the session has to end", () => {
    const peer = new Limited(limited(9, "restart"), 3);
    expect(peer.done()).toEqual([]);
    peer.configure(limited(2, "restart"));
    expect(peer.done()).toEqual([`${OVER} the session ends and starts again in 60 s`, "NOTIFICATION 6/1", "close"]);
  });

  it("was only said, and now ends the session", () => {
    const peer = new Limited(limited(2, "warn"), 3);
    expect(peer.done()).toEqual([`${OVER} only said`]);
    peer.configure(limited(2, "shutdown"));
    expect(peer.done()).toEqual([`${OVER} the session ends until the peer is enabled`, "NOTIFICATION 6/1", "close"]);
  });

  it("is not said again for another change of the configuration", () => {
    const peer = new Limited(limited(2, "warn"), 3);
    peer.done();
    peer.configure({ ...limited(2, "warn"), numAllowedLocalAsNumbers: 1 });
    expect(peer.done()).toEqual([]);
  });
});
