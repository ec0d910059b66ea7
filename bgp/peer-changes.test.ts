import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../ipam/net/address.ts";
import { ourOpen } from "./session/negotiate.ts";
import type { PeerConfig } from "./session/peer-config.ts";
import { PEER_CONFIG } from "./session/testing.ts";
import { Speaker } from "./speaker.ts";
import { encodeKeepalive } from "./wire/framer.ts";
import { encodeOpen } from "./wire/open.ts";

const PEER: PeerConfig = { ...PEER_CONFIG, name: "mesh/n2", restartTime: 120, endsQuietly: "on change", passive: true };
const { name: _name, endsQuietly: _endsQuietly, ...SAME } = PEER;

/** The other side's OPEN, with graceful restart or without. */
const helloWith = (restartTime: number | undefined) =>
  encodeOpen(
    ourOpen(
      {
        ...PEER,
        ...{ localAsNumber: PEER.asNumber, asNumber: PEER.localAsNumber },
        ...{ routerId: PEER.address, restartTime },
      },
      { restarted: false, forwardingPreserved: true },
    ),
  );

class Stand {
  readonly speaker = new Speaker({ random: () => 1, restarting: false });
  #now = 0;

  constructor(config: PeerConfig, restartTime: number | "none" = 120) {
    this.tell([config]);
    this.speaker.tell({ kind: "accepted", connection: 1, address: config.address }, this.#now);
    for (const octets of [helloWith(restartTime === "none" ? undefined : restartTime), encodeKeepalive()]) {
      this.speaker.tell({ kind: "received", connection: 1, octets }, this.#now);
    }
    this.did();
    expect(this.states()).toEqual([`${config.name} Established`]);
  }

  tell(peers: readonly PeerConfig[]): void {
    this.#now += 1_000;
    this.speaker.tell({ kind: "peers", peers }, this.#now);
  }

  states(): string[] {
    return this.speaker.neighbors.map(({ peer }) => `${peer.config.name} ${peer.state}`);
  }

  /** `close 1`, `NOTIFICATION 6/6`, `renamed b from a`. */
  did(): string[] {
    return this.speaker.work(this.#now).flatMap((work) => {
      if (work.kind === "close") return [`close ${work.connection}`];
      if (work.kind === "event" && work.event.kind === "renamed") {
        return [`renamed ${work.event.peer} from ${work.event.formerly}`];
      }
      if (work.kind !== "send") return [];
      const [type, code, subcode] = work.octets.subarray(18);
      return type === 3 ? [`NOTIFICATION ${code}/${subcode}`] : [];
    });
  }
}

describe("a session whose peer is told anew", () => {
  it("goes on under another name, with the rules of the other", () => {
    const stand = new Stand(PEER);
    stand.tell([{ ...PEER, name: "hub/n2", reflectorClient: true }]);
    expect(stand.did()).toEqual(["renamed hub/n2 from mesh/n2"]);
    expect(stand.states()).toEqual(["hub/n2 Established"]);
    expect(stand.speaker.neighbor("mesh/n2")).toBeUndefined();
    expect(stand.speaker.neighbor("hub/n2")?.peer.config.reflectorClient).toBe(true);
  });

  it("is another one at another port or address", () => {
    const stand = new Stand(PEER);
    stand.tell([{ ...PEER, name: "hub/n2", port: 1790 }]);
    expect(stand.did()).toEqual(["NOTIFICATION 6/3", "close 1"]);
    expect(stand.states()).toEqual(["hub/n2 Active"]);
  });

  it.each<[string, Partial<PeerConfig>]>([
    ["hold time", { holdTime: 30 }],
    ["password", { password: "other" }],
    ["hold time and name", { holdTime: 30, name: "hub/n2" }],
  ])("is made anew without a word for another %s", (_what, change) => {
    const stand = new Stand(PEER);
    stand.tell([{ ...PEER, ...change }]);
    expect(stand.did().filter((what) => !what.startsWith("renamed"))).toEqual(["close 1"]);
    expect(stand.states()).toEqual([`${change.name ?? PEER.name} Active`]);
    expect(stand.speaker.neighbors[0]?.peer.establishedCount).toBe(1);
  });

  it.each<[string, PeerConfig, Partial<PeerConfig>, number | "none"]>([
    ["where nobody asked for quiet", { ...SAME, name: "a" }, { holdTime: 30 }, 120],
    ["where the other side has no graceful restart", PEER, { holdTime: 30 }, "none"],
    ["where we offered none", { ...PEER, restartTime: undefined }, { holdTime: 30 }, 120],
    ["of another AS", PEER, { asNumber: 65099 }, 120],
    ["from another source", PEER, { sourceAddress: addressOf("10.0.0.77") }, 120],
    ["that has lost its password", { ...PEER, password: "p" }, { password: undefined, held: "no password" }, 120],
  ])("ends with a NOTIFICATION %s", (_what, before, change, restartTime) => {
    const stand = new Stand(before, restartTime);
    stand.tell([{ ...before, ...change }]);
    expect(stand.did()).toEqual(["NOTIFICATION 6/6", "close 1"]);
  });

  it("ends with a NOTIFICATION when it is removed, and without where that was asked for", () => {
    const loud = new Stand(PEER);
    loud.tell([]);
    expect(loud.did()).toEqual(["NOTIFICATION 6/3", "close 1"]);
    const quiet = new Stand({ ...PEER, endsQuietly: "always" });
    quiet.tell([]);
    expect([quiet.did(), quiet.speaker.neighbors]).toEqual([["close 1"], []]);
  });
});
