/**
 * Many speakers, one virtual clock, one seed: whole networks without a socket.
 *
 * Every speaker sits at addresses; a dial finds the speaker at the address dialled. Octets and closings arrive after a
 * random delay, in order within a connection, cut into random chunks. Links can be cut (everything is lost silently,
 * and a connection that lost something delivers nothing any more: never a stream with a hole) and speakers killed
 * (their connections close at the other end, as a kernel does for a dead process).
 */
import { type Address, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { Fact, SpeakerEvent, Work } from "../facts.ts";
import type { UnderlayRoute } from "../rib/next-hops.ts";
import { Speaker } from "../speaker.ts";
import { seededRandom } from "./random.ts";

const LONGEST_DELAY_MS = 20;

export interface HostOptions {
  readonly addresses: readonly [Address, ...Address[]];
  readonly underlay: readonly UnderlayRoute[];
}

interface Endpoint {
  readonly host: SimulatedHost;
  readonly id: number;
  /** Earliest arrival of the next thing sent from here: order within a connection. */
  clearAt: number;
  /** Something sent from here was lost. */
  broken: boolean;
  peer: Endpoint | undefined;
}

export class SimulatedHost {
  readonly name: string;
  /** The first of its addresses: where its connections come from. */
  readonly address: Address;
  readonly addresses: readonly Address[];
  readonly underlay: readonly UnderlayRoute[];
  /** What the forwarding table would hold: prefix to gateways, in text. Survives the speaker. */
  readonly fib = new Map<string, string>();
  /** What of it an earlier speaker put there and this one has not spoken of. */
  readonly leftBehind = new Set<string>();
  readonly events: SpeakerEvent[] = [];
  readonly endpoints = new Map<number, Endpoint>();
  speaker: Speaker | undefined;
  /** When the speaker has something to do: asked for after each turn of its own, nothing else changes it (ms). */
  due = Number.POSITIVE_INFINITY;
  nextAccepted = 1;

  constructor(name: string, { addresses, underlay }: HostOptions) {
    this.name = name;
    this.address = addresses[0];
    this.addresses = addresses;
    this.underlay = underlay;
  }
}

interface Delivery {
  readonly at: number;
  run(): void;
}

export class Network {
  readonly random: () => number;
  readonly hosts = new Map<string, SimulatedHost>();
  readonly #byAddress = new Map<string, SimulatedHost>();
  readonly #cut = new Set<string>();
  readonly #deliveries: Delivery[] = [];
  now = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  addHost(name: string, options: HostOptions): SimulatedHost {
    const host = new SimulatedHost(name, options);
    this.hosts.set(name, host);
    for (const address of options.addresses) this.#byAddress.set(formatAddress(address), host);
    return host;
  }

  /** `restarting`: the forwarding table outlived the speaker before; else it starts empty. */
  start(name: string, restarting = false): void {
    const host = this.#host(name);
    if (!restarting) host.fib.clear();
    for (const prefix of host.fib.keys()) host.leftBehind.add(prefix);
    host.speaker = new Speaker({ random: this.random, restarting });
    this.tell(name, { kind: "underlay", routes: host.underlay });
  }

  /** The speaker has heard what there is to hear: what it has not spoken of goes from the forwarding table. */
  endRestart(name: string): void {
    const host = this.#host(name);
    host.speaker?.endRestart();
    for (const prefix of host.leftBehind) host.fib.delete(prefix);
    host.leftBehind.clear();
  }

  /** As kill -9: the kernel closes the process's connections, the forwarding table stays. */
  kill(name: string): void {
    const host = this.#host(name);
    host.speaker = undefined;
    host.due = Number.POSITIVE_INFINITY;
    for (const endpoint of host.endpoints.values()) this.#sendClose(endpoint, "connection reset by peer");
    host.endpoints.clear();
  }

  /** Nothing passes between the two any more, and nobody is told. */
  cut(a: string, b: string): void {
    this.#cut.add(pair(a, b));
  }

  heal(a: string, b: string): void {
    this.#cut.delete(pair(a, b));
  }

  tell(name: string, fact: Fact): void {
    this.#host(name).speaker?.tell(fact, this.now);
    this.#pump(this.#host(name));
  }

  /** Lets virtual time pass. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = Math.min(this.#deliveries[0]?.at ?? Number.POSITIVE_INFINITY, this.#nextTimer());
      if (next > end) break;
      this.now = Math.max(this.now, next);
      while (this.#deliveries[0] !== undefined && this.#deliveries[0].at <= this.now) {
        (this.#deliveries.shift() as Delivery).run();
      }
      for (const host of this.hosts.values()) if (host.due <= this.now) this.#pump(host);
    }
    this.now = end;
  }

  #nextTimer(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.hosts.values()) next = Math.min(next, due);
    return next;
  }

  #pump(host: SimulatedHost): void {
    const { speaker } = host;
    if (speaker === undefined) return;
    for (const work of speaker.work(this.now)) this.#do(host, work);
    speaker.takeForwardingChanges(Number.POSITIVE_INFINITY, (_family, address, length, gateways) => {
      const prefix = formatPrefix({ address: address.slice(), length });
      host.leftBehind.delete(prefix);
      if (gateways === undefined) host.fib.delete(prefix);
      else host.fib.set(prefix, gateways.map(({ gateway }) => gateway && formatAddress(gateway)).join(","));
    });
    host.due = speaker.nextDue(this.now);
  }

  #do(host: SimulatedHost, work: Work): void {
    switch (work.kind) {
      case "dial":
        return this.#dial(host, work);
      case "send": {
        const endpoint = host.endpoints.get(work.connection);
        if (endpoint !== undefined) this.#sendOctets(endpoint, work.octets);
        return;
      }
      case "close": {
        const endpoint = host.endpoints.get(work.connection);
        host.endpoints.delete(work.connection);
        if (endpoint !== undefined) this.#sendClose(endpoint, "connection closed by peer");
        return;
      }
      case "event":
        host.events.push(work.event);
    }
  }

  #dial(host: SimulatedHost, { connection, peer }: Extract<Work, { kind: "dial" }>): void {
    const target = this.#byAddress.get(formatAddress(peer.address));
    const near: Endpoint = { host, id: connection, clearAt: this.now, broken: false, peer: undefined };
    host.endpoints.set(connection, near);
    if (target === undefined || this.#isCut(host, target)) return;
    this.#later(near, target, () => {
      // Given up meanwhile, or dialled by a speaker that is gone.
      if (host.endpoints.get(connection) !== near) return;
      if (target.speaker === undefined) {
        host.endpoints.delete(connection);
        this.#after(() => this.#tellHost(host, { kind: "closed", connection, reason: "connection refused" }));
        return;
      }
      const far: Endpoint = { host: target, id: target.nextAccepted, clearAt: this.now, broken: false, peer: near };
      target.nextAccepted += 2;
      near.peer = far;
      target.endpoints.set(far.id, far);
      this.#later(far, host, () => {
        if (host.endpoints.get(connection) === near) this.#tellHost(host, { kind: "connected", connection });
      });
      const address = peer.sourceAddress ?? host.address;
      this.#tellHost(target, { kind: "accepted", connection: far.id, address });
    });
  }

  #sendOctets(from: Endpoint, octets: Uint8Array): void {
    const cut = 1 + Math.floor(this.random() * octets.length);
    for (const chunk of [octets.slice(0, cut), octets.slice(cut)]) {
      if (chunk.length === 0 || from.peer === undefined) continue;
      const { peer: to } = from;
      const { host, id } = to;
      this.#later(from, host, () => {
        if (host.endpoints.get(id) === to) this.#tellHost(host, { kind: "received", connection: id, octets: chunk });
      });
    }
  }

  #sendClose(from: Endpoint, reason: string): void {
    if (from.peer === undefined) return;
    const { peer: to } = from;
    const { host, id } = to;
    this.#later(from, host, () => {
      // Not another connection of the same number, made by a speaker started since.
      if (host.endpoints.get(id) !== to) return;
      host.endpoints.delete(id);
      this.#tellHost(host, { kind: "closed", connection: id, reason });
    });
  }

  #tellHost(host: SimulatedHost, fact: Fact): void {
    host.speaker?.tell(fact, this.now);
    this.#pump(host);
  }

  #later(from: Endpoint, to: SimulatedHost, run: () => void): void {
    if (this.#isLost(from, to)) return;
    from.clearAt = Math.max(from.clearAt, this.now + 1 + Math.floor(this.random() * LONGEST_DELAY_MS));
    this.#schedule(from.clearAt, () => {
      if (!this.#isLost(from, to)) run();
    });
  }

  #isLost(from: Endpoint, to: SimulatedHost): boolean {
    if (this.#isCut(from.host, to)) from.broken = true;
    return from.broken;
  }

  #after(run: () => void): void {
    this.#schedule(this.now + 1 + Math.floor(this.random() * LONGEST_DELAY_MS), run);
  }

  #schedule(at: number, run: () => void): void {
    let place = this.#deliveries.length;
    while (place > 0 && (this.#deliveries[place - 1] as Delivery).at > at) place--;
    this.#deliveries.splice(place, 0, { at, run });
  }

  #isCut(a: SimulatedHost, b: SimulatedHost): boolean {
    return this.#cut.has(pair(a.name, b.name));
  }

  #host(name: string): SimulatedHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
