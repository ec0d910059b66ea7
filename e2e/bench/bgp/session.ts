/**
 * One BGP session as the generator has it: it dials, says OPEN, and from then on hands everything that arrives to its
 * owner. Incoming octets share one buffer, the kernel's copy being the only one until the owner makes its own.
 */
import { connect, type Socket } from "node:net";
import { type BenchPeer, DEVICE, toNumber } from "./addresses.ts";
import { describeNotification, HEADER, keepalive, open, read16, TYPE } from "./message.ts";

/** Octets source[from … to) have arrived; valid until the call returns. */
export type OnOctets = (session: Session, source: Uint8Array, from: number, to: number) => void;

export interface Terms {
  readonly port: number;
  readonly holdTime: number;
  readonly onOctets: OnOctets;
  readonly onLost: (session: Session, why: string) => void;
}

const INBOX = Buffer.allocUnsafeSlow(512 << 10);
const KEEPALIVE = keepalive();

export class Session {
  readonly number: number;
  readonly peer: BenchPeer;
  readonly #terms: Terms;
  #socket: Socket | undefined;
  #state: "down" | "handshake" | "up" | "closed" = "down";
  #handshake: Buffer = Buffer.alloc(0);

  constructor(number: number, peer: BenchPeer, terms: Terms) {
    this.number = number;
    this.peer = peer;
    this.#terms = terms;
  }

  get up(): boolean {
    return this.#state === "up";
  }

  /** Resolves when the session is up; rejects when this attempt failed or got no answer for so long. */
  dial(answerMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: DEVICE.address,
        port: this.#terms.port,
        localAddress: this.peer.address,
        noDelay: true,
        onread: {
          buffer: INBOX,
          callback: (length, buffer) => {
            this.#received(buffer as Buffer, length, established);
            return true;
          },
        },
      });
      this.#socket = socket;
      this.#state = "handshake";
      this.#handshake = Buffer.alloc(0);
      let why = "closed by the device";
      const timer = setTimeout(() => socket.destroy(new Error("no answer")), answerMs);
      const established = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.on("error", (error) => {
        why = error.message;
      });
      socket.on("connect", () => socket.write(this.#open()));
      socket.on("close", () => {
        clearTimeout(timer);
        const wasUp = this.#state === "up";
        if (this.#state !== "closed") this.#state = "down";
        reject(new Error(`${this.peer.name}: ${why}`));
        if (wasUp) this.#terms.onLost(this, why);
      });
    });
  }

  /** Resolves when the kernel has taken all. */
  send(octets: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket?.writable !== true) return;
      this.#socket.write(octets, () => resolve());
    });
  }

  sendKeepalive(): void {
    if (this.#state === "up" && this.#socket?.writable === true) this.#socket.write(KEEPALIVE);
  }

  /** As when the machine behind it dies and its kernel says so: nothing is said in BGP. */
  close(): void {
    this.#state = "closed";
    this.#socket?.destroy();
  }

  #open(): Uint8Array {
    const { asNumber, address } = this.peer;
    return open({ asNumber, holdTime: this.#terms.holdTime, routerId: toNumber(address) });
  }

  #received(buffer: Buffer, length: number, established: () => void): void {
    if (this.#state === "up") {
      this.#terms.onOctets(this, buffer, 0, length);
      return;
    }
    this.#handshake = Buffer.concat([this.#handshake, buffer.subarray(0, length)]);
    while (this.#state === "handshake" && this.#handshake.length >= HEADER) {
      const end = read16(this.#handshake, 16);
      if (this.#handshake.length < end) return;
      this.#shakeHands(this.#handshake.subarray(0, end), established);
      this.#handshake = this.#handshake.subarray(end);
    }
    // The device may have said more in the same breath.
    if (this.up && this.#handshake.length > 0) {
      this.#terms.onOctets(this, this.#handshake, 0, this.#handshake.length);
    }
  }

  #shakeHands(message: Uint8Array, established: () => void): void {
    const type = message[18];
    if (type === TYPE.open) this.#socket?.write(KEEPALIVE);
    if (type === TYPE.notification) this.#socket?.destroy(new Error(describeNotification(message)));
    if (type !== TYPE.keepalive) return;
    this.#state = "up";
    established();
  }
}
