import { describe, expect, it } from "@jest/globals";
import { type Address, addressOf, sameAddress } from "../ipam/net/address.ts";
import { prefixOf } from "../ipam/net/prefix.ts";
import { ourOpen } from "./session/negotiate.ts";
import type { PeerConfig } from "./session/peer-config.ts";
import { PEER_CONFIG } from "./session/testing.ts";
import { Speaker } from "./speaker.ts";
import { encodeKeepalive, frame } from "./wire/framer.ts";
import { encodeOpen } from "./wire/open.ts";

const common = { ...PEER_CONFIG, passive: true, families: [4] as const, localAddresses: {} };
const ROUTER: PeerConfig = { ...common, name: "tor", address: addressOf("10.0.0.1") };
const POD: PeerConfig = { ...common, name: "pod", address: addressOf("10.244.0.5"), attached: true };
const END_OF_RIB = frame(2, new Uint8Array(4));
const [AT_ROUTER, AT_POD] = [1, 3];

/** Of the pod's own 198.18.0.9/32: ORIGIN, AS_PATH 65001, NEXT_HOP 10.244.0.5. */
const ATTRIBUTES = Buffer.from("40010100 40020602010000fde9 4003040af40005".replaceAll(" ", ""), "hex");
const VIP = frame(2, Uint8Array.from([0, 0, 0, ATTRIBUTES.length, ...ATTRIBUTES, 32, 198, 18, 0, 9]));

function restarted(peers: readonly PeerConfig[]): Speaker {
  const speaker = new Speaker({ random: () => 1, restarting: true });
  const via = [{ interfaceIndex: 2 }];
  const routes = ["10.0.0.0/24", "10.244.0.5/32"].map((text) => ({ prefix: prefixOf(text), via, metric: 0 }));
  speaker.tell({ kind: "underlay", routes }, 0);
  speaker.tell({ kind: "peers", peers }, 0);
  speaker.work(0);
  return speaker;
}

function connect(speaker: Speaker, connection: number, address: Address): void {
  const theirs = { ...common, localAsNumber: 65001, asNumber: 64512, routerId: address };
  const open = encodeOpen(ourOpen(theirs, { restarted: false, forwardingPreserved: false }));
  const local = { address: addressOf(sameAddress(address, POD.address) ? "169.254.0.179" : "10.0.0.11") };
  speaker.tell({ kind: "accepted", connection, address, local }, 0);
  speaker.tell({ kind: "received", connection, octets: open }, 0);
  speaker.tell({ kind: "received", connection, octets: encodeKeepalive() }, 0);
}

const hears = (speaker: Speaker, octets: Uint8Array) =>
  speaker.tell({ kind: "received", connection: AT_POD, octets }, 0);

/** What of UPDATEs goes out on a connection: "route" or "end". */
function told(speaker: Speaker, connection: number): string[] {
  return speaker.work(0).flatMap((work) => {
    if (work.kind !== "send" || work.connection !== connection) return [];
    const words: string[] = [];
    for (let at = 0; at < work.octets.length; ) {
      const length = (work.octets[at + 16] as number) * 256 + (work.octets[at + 17] as number);
      if (work.octets[at + 18] === 2) words.push(length === END_OF_RIB.length ? "end" : "route");
      at += length;
    }
    return words;
  });
}

describe("End-of-RIB after a restart (RFC 4724 4.1)", () => {
  it("waits for a peer on this machine to say its routes again", () => {
    const speaker = restarted([ROUTER, POD]);
    connect(speaker, AT_ROUTER, ROUTER.address);
    expect(told(speaker, AT_ROUTER)).toEqual([]);
    connect(speaker, AT_POD, POD.address);
    // The peer itself is not kept waiting.
    expect(told(speaker, AT_POD)).toEqual(["end"]);
    hears(speaker, VIP);
    expect(told(speaker, AT_ROUTER)).toEqual(["route"]);
    hears(speaker, END_OF_RIB);
    expect(told(speaker, AT_ROUTER)).toEqual(["end"]);
    expect(speaker.nextDue(0)).toBeGreaterThan(0);
  });

  it.each<[string, (speaker: Speaker) => void]>([
    ["once the restart is over", (speaker) => speaker.endRestart()],
    ["when that peer is gone", (speaker) => speaker.tell({ kind: "peers", peers: [ROUTER] }, 0)],
  ])("goes out %s", (_name, happens) => {
    const speaker = restarted([ROUTER, POD]);
    connect(speaker, AT_ROUTER, ROUTER.address);
    expect(told(speaker, AT_ROUTER)).toEqual([]);
    happens(speaker);
    expect(told(speaker, AT_ROUTER)).toEqual(["end"]);
  });

  it("waits for nobody else", () => {
    const speaker = restarted([ROUTER, { ...POD, attached: false }]);
    connect(speaker, AT_ROUTER, ROUTER.address);
    expect(told(speaker, AT_ROUTER)).toEqual(["end"]);
  });
});
