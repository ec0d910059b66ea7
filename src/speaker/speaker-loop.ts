/**
 * Runs a speaker on the real world: sockets and the clock tell it facts, its work becomes connections and octets.
 *
 * Nothing here knows BGP. Work is done in turns of some milliseconds, between which the event loop reads sockets and
 * runs timers: in each turn every connection with something to read gets its share, then the speaker its time, then
 * the kernel a batch of routes. So no peer keeps the others waiting, however much it sends.
 */
import type { Socket } from "node:net";
import type { Fact, LocalEnd, SpeakerEvent, Work } from "../../bgp/facts.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import type { Speaker } from "../../bgp/speaker.ts";
import { parseAddress } from "../../ipam/net/address.ts";
import { dialTcp, secureAccepted } from "../kernel/tcp.ts";
import { Callers } from "./callers.ts";
import type { ConnectionEnds } from "./capture-stream.ts";
import { Link, type LinkListener } from "./link.ts";

/** What a turn hands to the speaker at most: octets, and milliseconds spent on it. */
const TURN_OCTETS = 512 * 1024;
const TURN_MS = 10;
/** What may wait unread: of all connections together, and of one, however many there are. */
const ALL_INBOXES = 16 * 1024 * 1024;
const LARGEST_INBOX = 256 * 1024;
const SMALLEST_INBOX = 64 * 1024;
const LONGEST_SLEEP_MS = 60_000;
/** Timers run at multiples of this: those of many sessions, a little apart from each other, wake the process once. */
const GRID_MS = 100;
/** Octets that have not gone out for so long show a peer that does not read (RFC 9687), however few they are. */
const STUCK_MS = 1000;

export interface LoopPorts {
  readonly speaker: Pick<Speaker, "tell" | "work" | "nextDue">;
  /** Milliseconds that never go back. */
  now(): number;
  /** Hands a batch of routes to the kernel; true: there are more. */
  forward(): boolean;
  event(event: SpeakerEvent): void;
  /** Why a caller was turned away, in words. */
  refused(peer: string, reason: string): void;
  /** Kernel index of an interface. */
  interfaceIndex(name: string): number | undefined;
}

export class SpeakerLoop implements LinkListener {
  readonly #ports: LoopPorts;
  readonly #links = new Map<number, Link>();
  /** Those with something to read, in the order in which they get their turn. */
  readonly #ready: Link[] = [];
  /** Those that were written to in this turn. */
  readonly #written = new Set<Link>();
  /** Those with octets that did not go out at once, and since when (ms). */
  readonly #waiting = new Map<Link, number>();
  #callers = new Callers([], []);
  #nextAccepted = 1;
  #planned = false;
  #timer: NodeJS.Timeout | undefined;
  #stuckTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ports: LoopPorts) {
    this.#ports = ports;
  }

  tell(fact: Fact): void {
    if (this.#stopped) return;
    if (fact.kind === "peers") this.#callers = new Callers(fact.peers, fact.ranges ?? []);
    this.#ports.speaker.tell(fact, this.#ports.now());
    this.#soon();
  }

  /** The speaker may have work that no fact and no timer tells of. */
  wake(): void {
    this.#soon();
  }

  /** A connection that somebody opened to us goes to the speaker, on the terms of the peer it seems to be. */
  accept(socket: Socket): void {
    socket.on("error", () => undefined);
    const [text, device] = (socket.remoteAddress ?? "").split("%", 2) as [string, string | undefined];
    const address = parseAddress(text);
    if (address === undefined || this.#stopped) return void socket.destroy();
    const peer = this.#callers.of({ address, device });
    try {
      if (peer !== undefined) secureAccepted(socket, address, peer);
    } catch (error) {
      // Never a session without the protection that was asked for.
      this.#ports.refused(peer?.name ?? text, (error as Error).message);
      return void socket.destroy();
    }
    const connection = this.#nextAccepted;
    this.#nextAccepted += 2;
    const local = this.#localEnd(socket);
    this.#adopt(connection, socket);
    const came = { ...(device === undefined ? {} : { device }), ...(local === undefined ? {} : { local }) };
    this.tell({ kind: "accepted", connection, address, ...came });
  }

  /** Addresses and ports of a connection; undefined when there is none. */
  ends(connection: number): ConnectionEnds | undefined {
    const socket = this.#links.get(connection)?.socket;
    const local = endpoint(socket?.localAddress, socket?.localPort);
    const remote = endpoint(socket?.remoteAddress, socket?.remotePort);
    return local === undefined || remote === undefined ? undefined : { local, remote };
  }

  /** Lets what is queued go out, then closes every connection. */
  async stop(): Promise<void> {
    this.#turn();
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stuckTimer);
    await Promise.all([...this.#links.values()].map((link) => link.end()));
  }

  arrived(link: Link): void {
    this.#ready.push(link);
    this.#soon();
  }

  over(link: Link): void {
    if (!link.isEmpty || this.#links.get(link.connection) !== link) return;
    this.#closed(link);
  }

  drained(link: Link): void {
    this.#waiting.delete(link);
    if (!link.congested) return;
    link.congested = false;
    this.tell({ kind: "drained", connection: link.connection });
  }

  #soon(): void {
    if (this.#planned || this.#stopped) return;
    this.#planned = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#planned = false;
    if (this.#stopped) return;
    const { speaker, now } = this.#ports;
    this.#hear(now() + TURN_MS);
    for (const work of speaker.work(now())) this.#do(work);
    this.#sendWritten();
    const more = this.#ports.forward();
    clearTimeout(this.#timer);
    if (more || this.#ready.length > 0) return this.#soon();
    const due = speaker.nextDue(now());
    if (due <= now()) return this.#soon();
    const wait = Math.ceil(due / GRID_MS) * GRID_MS - now();
    // Not at once when the time has come: what arrived meanwhile is read first, or a hold timer would run out while
    // the keepalive is already here.
    this.#timer = setTimeout(() => this.#soon(), Math.min(Math.ceil(wait), LONGEST_SLEEP_MS));
  }

  #hear(deadline: number): void {
    const { speaker, now } = this.#ports;
    let budget = TURN_OCTETS;
    while (budget > 0) {
      const link = this.#ready.shift();
      if (link === undefined) return;
      const { connection } = link;
      const octets = link.take();
      if (octets === undefined || this.#links.get(connection) !== link) continue;
      speaker.tell({ kind: "received", connection, octets }, now());
      budget -= octets.length;
      if (!link.isEmpty) this.#ready.push(link);
      else if (link.why !== undefined) this.#closed(link);
      if (now() >= deadline) return;
    }
  }

  #do(work: Work): void {
    switch (work.kind) {
      case "dial":
        return this.#dial(work.connection, work.peer);
      case "send": {
        const link = this.#links.get(work.connection);
        if (link === undefined) return;
        if (!this.#written.has(link)) {
          this.#written.add(link);
          link.socket.cork();
        }
        return link.write(work.octets);
      }
      case "close": {
        const link = this.#links.get(work.connection);
        this.#links.delete(work.connection);
        if (link === undefined) return;
        this.#written.delete(link);
        this.#waiting.delete(link);
        void link.end();
        return;
      }
      case "event":
        return this.#ports.event(work.event);
    }
  }

  /** Everything a turn has for a connection goes out in one system call. */
  #sendWritten(): void {
    const now = this.#ports.now();
    for (const link of this.#written) {
      link.socket.uncork();
      if (link.isFull) this.#congested(link);
      else if (link.isWaiting && !this.#waiting.has(link)) this.#waiting.set(link, now);
    }
    this.#written.clear();
    if (this.#waiting.size > 0) this.#stuckTimer ??= setTimeout(() => this.#lookForStuck(), STUCK_MS);
  }

  #lookForStuck(): void {
    this.#stuckTimer = undefined;
    const now = this.#ports.now();
    for (const [link, since] of this.#waiting) {
      if (!link.isWaiting) this.drained(link);
      else if (now - since >= STUCK_MS) this.#congested(link);
    }
    if (this.#waiting.size > 0) this.#stuckTimer = setTimeout(() => this.#lookForStuck(), STUCK_MS);
  }

  #congested(link: Link): void {
    if (!this.#waiting.has(link)) this.#waiting.set(link, this.#ports.now());
    if (link.congested) return;
    link.congested = true;
    this.tell({ kind: "congested", connection: link.connection });
  }

  #dial(connection: number, peer: PeerConfig): void {
    const socket = dialTcp({
      address: peer.address,
      port: peer.port,
      ...(peer.sourceAddress === undefined ? {} : { source: peer.sourceAddress }),
      ...(peer.device === undefined ? {} : { device: peer.device }),
      ...(peer.password === undefined ? {} : { password: peer.password }),
      ...(peer.ttl === undefined ? {} : { ttl: peer.ttl }),
      ...(peer.ttlSecurity === undefined ? {} : { ttlSecurity: peer.ttlSecurity }),
    });
    const link = this.#adopt(connection, socket);
    socket.once("connect", () => {
      if (this.#links.get(connection) !== link) return;
      const local = this.#localEnd(socket);
      this.tell({ kind: "connected", connection, ...(local === undefined ? {} : { local }) });
    });
  }

  #adopt(connection: number, socket: Socket): Link {
    const link = new Link(connection, socket, () => this.#room(), this);
    this.#links.set(connection, link);
    return link;
  }

  #room(): number {
    return Math.max(SMALLEST_INBOX, Math.min(LARGEST_INBOX, ALL_INBOXES / this.#links.size));
  }

  #closed(link: Link): void {
    this.#links.delete(link.connection);
    this.#waiting.delete(link);
    this.#written.delete(link);
    this.tell({ kind: "closed", connection: link.connection, reason: link.why ?? "" });
  }

  #localEnd(socket: Socket): LocalEnd | undefined {
    const [text, device] = (socket.localAddress ?? "").split("%", 2) as [string, string | undefined];
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    const index = device === undefined ? undefined : this.#ports.interfaceIndex(device);
    return index === undefined ? { address } : { address, interfaceIndex: index };
  }
}

function endpoint(text = "", port = 0): ConnectionEnds["local"] | undefined {
  const address = parseAddress(text.replace(/%.*/, ""));
  return address === undefined ? undefined : { address, port };
}
