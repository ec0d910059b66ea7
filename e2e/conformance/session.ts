/** One tester's session: it says what it is told to, and remembers all it hears. */
import { capabilitiesOf, decodeUpdate, type HeardRoute, type Message, Messages } from "./decode.ts";
import { keepalive, Type } from "./messages.ts";
import type { Listener, Network } from "./network.ts";
import { hex, type Octets } from "./octets.ts";
import type { Terms } from "./terms.ts";

export interface Notification {
  /** Code and subcode: `3/1`. */
  readonly what: string;
  readonly data: Octets;
}

export interface HeardRefresh {
  readonly afi: number;
  readonly subtype: number;
}

export class Session implements Listener {
  readonly terms: Terms;
  readonly #network: Network;
  #id = "";
  readonly #stream = new Messages();
  /** What the other side announced and did not withdraw, by prefix, with `#pathId` where it sends those. */
  readonly routes = new Map<string, HeardRoute>();
  /** Every withdrawal heard, in order. */
  readonly withdrawals: string[] = [];
  readonly refreshes: HeardRefresh[] = [];
  readonly endsOfRib: number[] = [];
  /** Octets of the longest message heard. */
  longest = 0;
  keepalives = 0;
  connected = false;
  established = false;
  closed = false;
  closedWhy = "";
  theirOpen: Message | undefined;
  notification: Notification | undefined;
  /** The first thing heard that no speaker may say. */
  problem = "";
  readonly #pathIds = new Set<number>();

  constructor(network: Network, terms: Terms) {
    this.#network = network;
    this.terms = terms;
  }

  dial(local: string, remote: string, port: number): this {
    this.#id = this.#network.dial(local, remote, port, this);
    return this;
  }

  /** Takes over a connection that came in. */
  accept(id: string): this {
    this.#id = id;
    this.connected = true;
    return this;
  }

  send(...messages: readonly Octets[]): void {
    this.#network.send(this.#id, Uint8Array.from(messages.flatMap((octets) => [...octets])));
  }

  end(): void {
    this.#network.tell(`end ${this.#id}`);
  }

  /** Without a FIN: as a host that crashed. */
  reset(): void {
    this.#network.tell(`reset ${this.#id}`);
  }

  /** False: reads nothing more until told otherwise. */
  hold(reading: boolean): void {
    this.#network.tell(`${reading ? "resume" : "pause"} ${this.#id}`);
  }

  /** Answers the other side's OPEN; established then, as far as a tester can know. */
  async confirm(): Promise<void> {
    await this.until("OPEN", () => this.theirOpen !== undefined);
    this.send(keepalive());
    await this.until("KEEPALIVE", () => this.keepalives > 0);
    this.established = true;
  }

  /** Fails when the session ends first. */
  async until(what: string, holds: () => boolean, seconds = 5): Promise<void> {
    await this.#network.bell.until(() => holds() || this.closed, seconds);
    if (!holds()) throw new Error(`no ${what} came: ${this.describe()}`);
  }

  /** NOTIFICATION or not, the connection is closed in time. */
  async ended(seconds = 5): Promise<boolean> {
    return await this.#network.bell.until(() => this.closed, seconds);
  }

  /** Whether it holds in time. */
  async sees(holds: () => boolean, seconds = 5): Promise<boolean> {
    await this.#network.bell.until(() => holds() || this.closed, seconds);
    return holds();
  }

  describe(): string {
    if (this.notification !== undefined) {
      return `NOTIFICATION ${this.notification.what} ${hex(this.notification.data)}`.trim();
    }
    return this.closed ? `closed without NOTIFICATION (${this.closedWhy})` : "the session stays";
  }

  // What the network tells.

  onConnected(): void {
    this.connected = true;
    this.#network.bell.ring();
  }

  onData(octets: Octets): void {
    try {
      for (const message of this.#stream.push(octets)) this.#heard(message);
    } catch (error) {
      if (this.problem === "") this.problem = (error as Error).message;
    }
    this.#network.bell.ring();
  }

  onClosed(why: string): void {
    this.closed = true;
    this.closedWhy = why;
    this.#network.bell.ring();
  }

  #heard(message: Message): void {
    const { type, body } = message;
    if (body.length + 19 > this.longest) this.longest = body.length + 19;
    if (type === Type.open) this.#opened(message);
    else if (type === Type.keepalive) this.keepalives++;
    else if (type === Type.notification) {
      this.notification = { what: `${body[0]}/${body[1]}`, data: body.subarray(2) };
    } else if (type === Type.refresh) {
      this.refreshes.push({ afi: ((body[0] ?? 0) << 8) | (body[1] ?? 0), subtype: body[2] ?? 0 });
    } else this.#updated(body);
  }

  #opened(message: Message): void {
    this.theirOpen = message;
    const offered = capabilitiesOf(message).get(69)?.[0] ?? [];
    for (let at = 0; at + 4 <= offered.length; at += 4) {
      const [afi, theirMode] = [offered[at + 1] as number, offered[at + 3] as number];
      const ours = this.terms.addPath?.find(([family]) => family === afi)?.[1] ?? 0;
      if ((theirMode & 2) !== 0 && (ours & 1) !== 0) this.#pathIds.add(afi);
    }
  }

  #updated(body: Octets): void {
    const { withdrawn, announced, route, endOfRib } = decodeUpdate(body, this.#pathIds);
    for (const prefix of withdrawn) this.routes.delete(prefix);
    this.withdrawals.push(...withdrawn);
    for (const prefix of announced) this.routes.set(prefix, route);
    if (endOfRib !== undefined) this.endsOfRib.push(endOfRib);
  }
}
