/** For tests: recorded speakers that talk to each other in memory, on a virtual clock, in chunks of any size. */
import type { Fact, Work } from "../../bgp/facts.ts";
import { Inspection } from "../../bgp/inspect/inspection.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { PEER_CONFIG } from "../../bgp/session/testing.ts";
import { seededRandom } from "../../bgp/simulate/random.ts";
import type { Speaker } from "../../bgp/speaker.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { RecordedSpeaker } from "./recorded-speaker.ts";

interface End {
  readonly host: Host;
  readonly connection: number;
  other?: End;
}

interface Host {
  readonly address: string;
  readonly speaker: RecordedSpeaker;
  readonly ends: Map<number, End>;
  nextAccepted: number;
}

export class Wire {
  readonly #random: () => number;
  readonly #hosts = new Map<string, Host>();
  now = 1000;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  add(address: string, limit?: number): RecordedSpeaker {
    const options = { seed: this.#hosts.size + 1, restarting: false, ...(limit !== undefined && { limit }) };
    const speaker = new RecordedSpeaker(options);
    this.#hosts.set(address, { address, speaker, ends: new Map(), nextAccepted: 1 });
    this.tell(address, { kind: "underlay", routes: [connectedNetwork("10.0.0.0/24"), connectedNetwork("fd00::/64")] });
    return speaker;
  }

  tell(address: string, fact: Fact): void {
    this.#host(address).speaker.tell(fact, this.now);
  }

  /** Lets time pass, in steps of some milliseconds. */
  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; this.now += 1 + Math.floor(this.#random() * 20)) {
      for (const host of this.#hosts.values()) {
        for (const work of host.speaker.work(this.now)) this.#do(host, work);
        host.speaker.takeForwardingChanges(1000, () => undefined);
      }
    }
  }

  #do(host: Host, work: Work): void {
    if (work.kind === "dial") return this.#dial(host, work.connection, work.peer);
    if (work.kind === "event") return;
    const other = host.ends.get(work.connection)?.other;
    if (other === undefined) return;
    const { connection } = other;
    const { speaker } = other.host;
    if (work.kind === "close") {
      host.ends.delete(work.connection);
      other.host.ends.delete(connection);
      return speaker.tell({ kind: "closed", connection, reason: "the peer closed the connection" }, this.now);
    }
    for (let at = 0; at < work.octets.length; ) {
      const end = Math.min(work.octets.length, at + 1 + Math.floor(this.#random() * 2000));
      speaker.tell({ kind: "received", connection, octets: work.octets.slice(at, end) }, this.now);
      at = end;
    }
  }

  #dial(host: Host, connection: number, peer: PeerConfig): void {
    const near: End = { host, connection };
    host.ends.set(connection, near);
    const target = this.#hosts.get(formatAddress(peer.address));
    if (target === undefined) return;
    const far: End = { host: target, connection: target.nextAccepted, other: near };
    target.nextAccepted += 2;
    near.other = far;
    target.ends.set(far.connection, far);
    host.speaker.tell({ kind: "connected", connection }, this.now);
    const address = addressOf(host.address);
    target.speaker.tell({ kind: "accepted", connection: far.connection, address }, this.now);
  }

  #host(address: string): Host {
    return this.#hosts.get(address) as Host;
  }
}

function connectedNetwork(text: string) {
  return { prefix: prefixOf(text), via: [{ interfaceIndex: 2 }], metric: 0 };
}

/** The peer at 10.0.0.`theirs` for the speaker at 10.0.0.`ours`; each is AS 65000 plus its number. */
export function peerAt(ours: number, theirs: number, more: Partial<PeerConfig> = {}): PeerConfig {
  return {
    ...PEER_CONFIG,
    name: `r${theirs}`,
    address: addressOf(`10.0.0.${theirs}`),
    asNumber: 65000 + theirs,
    localAsNumber: 65000 + ours,
    routerId: addressOf(`10.0.0.${ours}`),
    localAddresses: { 4: addressOf(`10.0.0.${ours}`), 6: addressOf(`fd00::${ours}`) },
    ...more,
  };
}

/** So many prefixes of /24 from 20.0.0.0 on. */
export function manyPrefixes(count: number, first = 0) {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i;
    return { address: Uint8Array.of(20 + (n >> 16), (n >> 8) & 255, n & 255, 0), length: 24 };
  });
}

/** Every path of a speaker with all that is known of it, in order. */
export function ribText(speaker: Speaker): string[] {
  const inspection = new Inspection({ speaker, now: () => 0, wall: String });
  return [...inspection.routes({})]
    .flat()
    .map((route) => JSON.stringify(route))
    .sort();
}
