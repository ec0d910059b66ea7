/**
 * Runs a speaker on the real world: sockets and the clock tell it facts, its work becomes connections and octets.
 *
 * Nothing here knows BGP. One pump per turn of the event loop does all the work there is; between pumps only a timer
 * for the speaker's next due time runs.
 */
import type { Server, Socket } from "node:net";
import type { Fact, SpeakerEvent, Work } from "../../bgp/facts.ts";
import type { ForwardingChange } from "../../bgp/rib/rib.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import type { Speaker } from "../../bgp/speaker.ts";
import { formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { dialTcp, secureTtl } from "../kernel/tcp.ts";

/** Prefixes handed to the kernel before the loop turns: 1 to 2 ms of it. */
const FORWARDING_BATCH = 400;
const CLOSE_GRACE_MS = 1000;
const LONGEST_SLEEP_MS = 60_000;

export interface LoopPorts {
  readonly speaker: Speaker;
  /** Milliseconds that never go back. */
  now(): number;
  forward(changes: readonly ForwardingChange[]): void;
  event(event: SpeakerEvent): void;
}

export class SpeakerLoop {
  readonly #ports: LoopPorts;
  readonly #sockets = new Map<number, Socket>();
  #peers: readonly PeerConfig[] = [];
  #nextAccepted = 1;
  #pumping = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ports: LoopPorts) {
    this.#ports = ports;
  }

  tell(fact: Fact): void {
    if (this.#stopped) return;
    if (fact.kind === "peers") this.#peers = fact.peers;
    this.#ports.speaker.tell(fact, this.#ports.now());
    this.#soon();
  }

  /** Connections the server accepts go to the speaker. */
  serve(server: Server): void {
    server.on("connection", (socket: Socket) => {
      const address = parseAddress(socket.remoteAddress ?? "");
      if (address === undefined || this.#stopped) return void socket.destroy();
      const connection = this.#nextAccepted;
      this.#nextAccepted += 2;
      const peer = this.#peers.find((one) => formatAddress(one.address) === formatAddress(address));
      if (peer?.ttlSecurity !== undefined) secureTtl(socket, peer.ttlSecurity);
      this.#adopt(connection, socket);
      this.tell({ kind: "accepted", connection, address });
    });
  }

  /** Lets what is queued go out, then closes every connection. */
  async stop(): Promise<void> {
    this.#pump();
    this.#stopped = true;
    clearTimeout(this.#timer);
    const open = [...this.#sockets.values()];
    await Promise.all(open.map((socket) => closed(socket)));
  }

  #soon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    if (this.#stopped) return;
    const { speaker, now } = this.#ports;
    for (const work of speaker.work(now())) this.#do(work);
    const changes = speaker.takeForwardingChanges(FORWARDING_BATCH);
    if (changes.length > 0) this.#ports.forward(changes);
    clearTimeout(this.#timer);
    const wait = changes.length === FORWARDING_BATCH ? 0 : speaker.nextDue(now()) - now();
    if (wait <= 0) return this.#soon();
    this.#timer = setTimeout(() => this.#pump(), Math.min(Math.ceil(wait), LONGEST_SLEEP_MS));
  }

  #do(work: Work): void {
    switch (work.kind) {
      case "dial":
        return this.#dial(work.connection, work.peer);
      case "send": {
        const socket = this.#sockets.get(work.connection);
        if (socket?.writable === true && !socket.write(work.octets)) {
          this.#ports.speaker.tell({ kind: "congested", connection: work.connection }, this.#ports.now());
        }
        return;
      }
      case "close": {
        const socket = this.#sockets.get(work.connection);
        this.#sockets.delete(work.connection);
        if (socket !== undefined) void closed(socket);
        return;
      }
      case "event":
        return this.#ports.event(work.event);
    }
  }

  #dial(connection: number, peer: PeerConfig): void {
    const socket = dialTcp({
      address: peer.address,
      port: peer.port,
      ...(peer.sourceAddress === undefined ? {} : { source: peer.sourceAddress }),
      ...(peer.ttlSecurity === undefined ? {} : { ttlSecurity: peer.ttlSecurity }),
    });
    this.#adopt(connection, socket);
    socket.once("connect", () => {
      if (this.#sockets.get(connection) === socket) this.tell({ kind: "connected", connection });
    });
  }

  #adopt(connection: number, socket: Socket): void {
    this.#sockets.set(connection, socket);
    socket.setNoDelay(true);
    let reason = "the peer closed the connection";
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reason = describe(error);
    });
    socket.on("data", (octets: Buffer) => {
      if (this.#sockets.get(connection) === socket) this.tell({ kind: "received", connection, octets });
    });
    socket.on("drain", () => this.tell({ kind: "drained", connection }));
    socket.on("close", () => {
      if (this.#sockets.get(connection) !== socket) return;
      this.#sockets.delete(connection);
      this.tell({ kind: "closed", connection, reason });
    });
  }
}

/** Ends the connection after what was written; by force when the other side does not go along. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on("error", () => undefined);
    if (socket.connecting) socket.destroy();
    else socket.destroySoon();
  });
}

const ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens on the BGP port there",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ECONNRESET: "connection reset by peer",
  EADDRNOTAVAIL: "the source address is not on this node",
};

function describe(error: NodeJS.ErrnoException): string {
  return ERRORS[error.code ?? ""] ?? error.message;
}
