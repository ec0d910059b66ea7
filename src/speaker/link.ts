/**
 * One TCP connection of the speaker's: what it delivered waits here until the speaker has time, and what is to go out
 * waits in the socket until the other side takes it.
 *
 * Neither grows without end. A full inbox stops the reading, so that the peer's own TCP waits; a full outbox is told to
 * the speaker, which then makes no more messages.
 */
import type { Socket } from "node:net";

/** Octets and chunks that wait at most: a chunk of one octet costs as much as one of thousands. */
const INBOX_CHUNKS = 64;
/** Octets that the socket holds before the speaker is asked to pause. */
const OUTBOX_OCTETS = 1024 * 1024;
const CLOSE_GRACE_MS = 1000;

export interface LinkListener {
  /** Something waits in the inbox that was empty before. */
  arrived(link: Link): void;
  /** The other side closed, or it never came about; what waits in the inbox came before. */
  over(link: Link): void;
  /** Everything written has gone out, after {@link Link.congested}. */
  drained(link: Link): void;
}

export class Link {
  readonly connection: number;
  readonly socket: Socket;
  /** Octets that may wait in the inbox. */
  readonly #room: () => number;
  readonly #chunks: Uint8Array[] = [];
  #octets = 0;
  #ended = false;
  /** Why it is over, in words; undefined while it is not. */
  why: string | undefined;
  /** The speaker knows that there is no room. */
  congested = false;

  constructor(connection: number, socket: Socket, room: () => number, listener: LinkListener) {
    this.connection = connection;
    this.socket = socket;
    this.#room = room;
    let error: NodeJS.ErrnoException | undefined;
    socket.setNoDelay(true);
    socket.on("error", (happened: NodeJS.ErrnoException) => {
      error = happened;
    });
    socket.on("data", (octets: Buffer) => this.#received(plain(octets), listener));
    socket.on("drain", () => !this.#ended && listener.drained(this));
    socket.on("close", () => {
      this.why = error === undefined ? "the peer closed the connection" : describe(error);
      if (!this.#ended) listener.over(this);
    });
  }

  get isEmpty(): boolean {
    return this.#octets === 0;
  }

  /** The oldest octets that wait, as the socket gave them. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#octets -= chunk.length;
    if (this.#octets === 0 && this.socket.isPaused()) this.socket.resume();
    return chunk;
  }

  /** The octets are not to change any more: they may go to others too. Does nothing once the connection is over. */
  write(octets: Uint8Array): void {
    if (this.socket.writable) this.socket.write(octets);
  }

  /** More waits than the other side takes for now. */
  get isFull(): boolean {
    return this.socket.writableLength > OUTBOX_OCTETS;
  }

  /** Something written has not gone out yet. */
  get isWaiting(): boolean {
    return this.socket.writableLength > 0;
  }

  /** Lets what was written go out, then closes; by force when the other side does not go along. */
  end(): Promise<void> {
    this.#ended = true;
    this.#chunks.length = 0;
    this.#octets = 0;
    const { socket } = this;
    return new Promise((resolve) => {
      if (socket.closed) return resolve();
      const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
      socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      // Unread octets would turn the closing into a reset, and the last message might be lost with it.
      socket.resume();
      if (socket.connecting) socket.destroy();
      else socket.destroySoon();
    });
  }

  #received(octets: Uint8Array, listener: LinkListener): void {
    if (this.#ended || octets.length === 0) return;
    const wasEmpty = this.#octets === 0;
    this.#chunks.push(octets);
    this.#octets += octets.length;
    if (this.#octets > this.#room() || this.#chunks.length >= INBOX_CHUNKS) this.socket.pause();
    if (wasEmpty) listener.arrived(this);
  }
}

/** The speaker knows no Buffer: of what it keeps it takes slices, which are copies, and a Buffer's are none. */
const plain = ({ buffer, byteOffset, length }: Buffer): Uint8Array => new Uint8Array(buffer, byteOffset, length);

const ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens on the BGP port there",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ECONNRESET: "connection reset by peer",
  EADDRNOTAVAIL: "the source address is not on this node",
  ENODEV: "there is no such interface",
};

function describe(error: NodeJS.ErrnoException): string {
  return ERRORS[error.code ?? ""] ?? error.message;
}
