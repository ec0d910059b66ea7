/**
 * Watches the messages of one peer, both ways, while somebody wants to see them; costs nothing otherwise.
 *
 * What is sent comes as whole messages. What is received comes as the socket cut it, and a capture may begin in the
 * middle of a message: then it waits for the next marker.
 */
import { type Caller, isCalledBy } from "../../bgp/caller.ts";
import type { Fact, Work } from "../../bgp/facts.ts";
import type { MessageContext } from "../../bgp/inspect/message.ts";
import { NO_SESSION } from "../../bgp/inspect/message.ts";
import type { Neighbor } from "../../bgp/neighbor.ts";
import { HEADER_LENGTH } from "../../bgp/wire/codes.ts";
import { u16 } from "../../bgp/wire/octets.ts";

export interface CapturedMessage {
  readonly direction: "received" | "sent";
  readonly connection: number;
  /** Milliseconds on the speaker's clock. */
  readonly time: number;
  /** A whole message, the receiver's to keep. */
  readonly octets: Uint8Array;
  readonly context: MessageContext;
}

export type CaptureSink = (message: CapturedMessage) => void;

/** What a capture asks about the speaker. */
export interface Watched {
  readonly neighbors: Iterable<Neighbor>;
}

export class Captures {
  readonly #sinks = new Map<string, Set<CaptureSink>>();
  /** While anything is captured: the peer of each connection, or who opened it. */
  readonly #peers = new Map<number, string>();
  readonly #accepted = new Map<number, Caller>();
  readonly #streams = new Map<number, MessageStream>();

  get any(): boolean {
    return this.#sinks.size > 0;
  }

  /** Messages of the peer go to the sink until the returned function is called. */
  start({ peer: { config, session } }: Neighbor, sink: CaptureSink): () => void {
    const peer = config.name;
    // The last message of a session is sent when there is no session any more.
    if (session !== undefined) this.#peers.set(session.connection, peer);
    const sinks = this.#sinks.get(peer) ?? new Set();
    this.#sinks.set(peer, sinks.add(sink));
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0) this.#sinks.delete(peer);
      if (this.#sinks.size > 0) return;
      for (const map of [this.#peers, this.#accepted, this.#streams]) map.clear();
    };
  }

  told(fact: Fact, watched: Watched, now: number): void {
    switch (fact.kind) {
      case "accepted":
        this.#accepted.set(fact.connection, fact);
        this.#streams.set(fact.connection, new MessageStream("from its start"));
        return;
      case "connected":
        this.#streams.set(fact.connection, new MessageStream("from its start"));
        return;
      case "received":
        return this.#received(fact.connection, fact.octets, watched, now);
      case "closed":
        return this.#forget(fact.connection);
      default:
        return;
    }
  }

  did(work: readonly Work[], watched: Watched, now: number): void {
    for (const one of work) {
      if (one.kind === "dial") this.#peers.set(one.connection, one.peer.name);
      else if (one.kind === "close") this.#forget(one.connection);
      else if (one.kind === "send") this.#sent(one.connection, one.octets, watched, now);
    }
  }

  #received(connection: number, octets: Uint8Array, watched: Watched, now: number): void {
    const neighbor = this.#neighborOf(connection, watched);
    const sinks = neighbor && this.#sinks.get(neighbor.peer.config.name);
    if (neighbor === undefined || sinks === undefined) return;
    const stream = this.#streams.get(connection) ?? new MessageStream("from anywhere");
    this.#streams.set(connection, stream);
    const context = contextOf(neighbor, "received");
    for (const message of stream.push(octets)) {
      for (const sink of sinks) sink({ direction: "received", connection, time: now, octets: message, context });
    }
  }

  #sent(connection: number, octets: Uint8Array, watched: Watched, now: number): void {
    const neighbor = this.#neighborOf(connection, watched);
    const sinks = neighbor && this.#sinks.get(neighbor.peer.config.name);
    if (neighbor === undefined || sinks === undefined) return;
    const context = contextOf(neighbor, "sent");
    for (let at = 0; at + HEADER_LENGTH <= octets.length; ) {
      const length = Math.max(HEADER_LENGTH, u16(octets, at + 16));
      // A copy: the octets may be on their way to other peers too, and a buffer of thousands of messages would be held.
      const message = octets.slice(at, at + length);
      for (const sink of sinks) sink({ direction: "sent", connection, time: now, octets: message, context });
      at += length;
    }
  }

  #neighborOf(connection: number, { neighbors }: Watched): Neighbor | undefined {
    const name = this.#peers.get(connection);
    const from = this.#accepted.get(connection);
    let byAddress: Neighbor | undefined;
    for (const neighbor of neighbors) {
      const { config, session } = neighbor.peer;
      if (name === undefined ? session?.connection === connection : config.name === name) {
        this.#peers.set(connection, config.name);
        return neighbor;
      }
      if (from === undefined || !isCalledBy(config, from)) continue;
      // As the speaker chooses: of two peers with one address, the one that is down.
      if (byAddress === undefined || byAddress.peer.session !== undefined) byAddress = neighbor;
    }
    return byAddress;
  }

  #forget(connection: number): void {
    this.#peers.delete(connection);
    this.#accepted.delete(connection);
    this.#streams.delete(connection);
  }
}

function contextOf({ peer }: Neighbor, direction: "received" | "sent"): MessageContext {
  const negotiated = peer.session?.negotiated;
  if (negotiated === undefined) return NO_SESSION;
  const { asOctets, external, extendedNextHop } = negotiated;
  const addPath = direction === "received" ? negotiated.addPathReceive : negotiated.addPathSend;
  return { asOctets, external, extendedNextHop, addPath };
}

const LAST_TYPE = 5;

/** Cuts a stream into messages; one that it did not see from the start it joins at a marker. */
class MessageStream {
  #rest = new Uint8Array(0);
  #inStep: boolean;

  constructor(joined: "from its start" | "from anywhere") {
    this.#inStep = joined === "from its start";
  }

  push(octets: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#rest.length + octets.length);
    joined.set(this.#rest);
    joined.set(octets, this.#rest.length);
    let at = 0;
    if (!this.#inStep) {
      at = firstMessage(joined);
      this.#inStep = at >= 0;
      // A marker may have begun at the end.
      if (at < 0) at = Math.max(0, joined.length - HEADER_LENGTH);
    }
    const messages: Uint8Array[] = [];
    while (this.#inStep && at + HEADER_LENGTH <= joined.length) {
      const length = u16(joined, at + 16);
      if (length < HEADER_LENGTH) {
        this.#inStep = false;
        at = joined.length;
      } else if (at + length > joined.length) break;
      else messages.push(joined.slice(at, at + length));
      at += length;
    }
    this.#rest = joined.slice(Math.min(at, joined.length));
    return messages;
  }
}

/** Where a message begins: a header, and behind the message another one, if so much is there. */
function firstMessage(octets: Uint8Array): number {
  for (let at = 0; at + HEADER_LENGTH <= octets.length; at++) {
    if (!isHeader(octets, at)) continue;
    const next = at + u16(octets, at + 16);
    if (next + HEADER_LENGTH > octets.length || isHeader(octets, next)) return at;
  }
  return -1;
}

function isHeader(octets: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 16; i++) if (octets[i] !== 0xff) return false;
  const type = octets[at + 18] as number;
  return u16(octets, at + 16) >= HEADER_LENGTH && type >= 1 && type <= LAST_TYPE;
}
