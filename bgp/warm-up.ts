/**
 * Some thousand routes through speakers that nobody sees, so that the compiler knows their way before the first table
 * comes: a process that has just started reads its first UPDATEs a hundred times slower than later ones, stands still
 * for longer than it may meanwhile, and takes 100,000 routes at half its speed. More than one speaker, for what is
 * compiled for the only one there ever was is thrown away with the second.
 */
import { addressOf } from "../ipam/net/address.ts";
import { prefixOf } from "../ipam/net/prefix.ts";
import { PLAIN_PEER } from "./plain-peer.ts";
import { ourOpen } from "./session/negotiate.ts";
import type { PeerConfig } from "./session/peer-config.ts";
import { Speaker } from "./speaker.ts";
import { encodeAttributes } from "./wire/encode-attributes.ts";
import { UpdateWriter } from "./wire/encode-update.ts";
import { encodeKeepalive } from "./wire/framer.ts";
import { concat } from "./wire/octets.ts";
import { encodeOpen } from "./wire/open.ts";

const SPEAKERS = 3;
const PEERS = 3;
const PREFIXES = 12_000;
const PREFIXES_OF_A_SET = 5;
const CHUNK = 16_384;
const OUR_AS = 64512;
const HUB = addressOf("192.0.2.254");
const UNDERLAY = { prefix: prefixOf("192.0.2.0/24"), via: [{ interfaceIndex: 1 }], metric: 0 };

/** Takes some 400 ms; returns how many routes went through. */
export function warmUp(): number {
  const tables = [0, 1].map(table);
  let routes = 0;
  for (let n = 0; n < SPEAKERS; n++) {
    const speaker = new Speaker({ random: () => 0.5, restarting: false, forwards: false, expectedPrefixes: PREFIXES });
    speaker.tell({ kind: "underlay", routes: [UNDERLAY] }, 0);
    speaker.tell({ kind: "peers", peers: Array.from({ length: PEERS }, (_, peer) => configOf(peer)) }, 0);
    for (let peer = 0; peer < PEERS; peer++) establish(speaker, configOf(peer), connectionOf(peer));
    for (const [peer, chunks] of tables.entries()) {
      for (const octets of chunks) {
        speaker.tell({ kind: "received", connection: connectionOf(peer), octets }, 0);
        speaker.work(0);
      }
    }
    routes += speaker.rib.families[4].paths.size;
    for (let peer = 0; peer < PEERS; peer++) {
      speaker.tell({ kind: "closed", connection: connectionOf(peer), reason: "" }, 0);
      speaker.work(0);
    }
  }
  return routes;
}

function connectionOf(peer: number): number {
  return 2 * peer + 1;
}

function establish(speaker: Speaker, config: PeerConfig, connection: number): void {
  speaker.tell({ kind: "accepted", connection, address: config.address }, 0);
  const theirs = { ...config, asNumber: OUR_AS, localAsNumber: config.asNumber, routerId: config.address };
  const open = encodeOpen(ourOpen(theirs, { restarted: false, forwardingPreserved: false }));
  speaker.tell({ kind: "received", connection, octets: concat([open, encodeKeepalive()]) }, 0);
}

/** A table as it comes from a socket; every peer has the same prefixes. */
function table(peer: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const writer = new UpdateWriter(4096);
  const nlri = {
    nlriLength: () => 4,
    write(id: number, into: Uint8Array, at: number) {
      into.set([24, 10, id >> 8, id], at);
      return at + 4;
    },
  };
  for (let first = 0; first < PREFIXES; first += PREFIXES_OF_A_SET) {
    const beyond = Array.from({ length: first % 5 }, (_, i) => 1000 + first + i);
    const octets = encodeAttributes(
      {
        origin: 0,
        asPath: [{ type: 2, asNumbers: [4_200_000_001 + peer, ...beyond] }],
        nextHop: addressOf(`192.0.2.${peer + 1}`),
        ...(first % 3 === 0 ? { med: first % 200 } : {}),
        ...(first % 2 === 0 ? { communities: [first, 0xff00_0000 + first] } : {}),
        ...(first % 9 === 0 ? { largeCommunities: new Uint8Array(12).fill(1) } : {}),
        ...(first % 11 === 0 ? { atomicAggregate: true, aggregator: { asNumber: 65001, address: HUB } } : {}),
      },
      4,
    );
    writer.announce(4, undefined, octets, 0, octets.length);
    for (let id = first; id < first + PREFIXES_OF_A_SET; id++) writer.add(nlri, id, undefined);
    if (writer.position > CHUNK) chunks.push(writer.take());
  }
  return [...chunks, writer.take()];
}

function configOf(peer: number): PeerConfig {
  return {
    ...PLAIN_PEER,
    name: `warm-up ${peer}`,
    address: addressOf(`192.0.2.${peer + 1}`),
    asNumber: 4_200_000_001 + peer,
    localAsNumber: OUR_AS,
    routerId: HUB,
    clusterId: HUB,
    localAddresses: { 4: HUB },
    passive: true,
  };
}
