/** The messages of one peer as they pass: text, lines of JSON or a pcap file, for as long as somebody reads. */
import { messageText, viewMessage } from "../../bgp/inspect/message.ts";
import type { Neighbor } from "../../bgp/neighbor.ts";
import { type Address, familyOf } from "../../ipam/net/address.ts";
import type { CapturedMessage, Captures } from "./capture.ts";
import { type Endpoint, PcapWriter, pcapHeader } from "./capture-pcap.ts";

export type CaptureFormat = "text" | "json" | "pcap";

export const CAPTURE_TYPE: Readonly<Record<CaptureFormat, string>> = {
  text: "text/plain; charset=utf-8",
  json: "application/x-ndjson",
  pcap: "application/vnd.tcpdump.pcap",
};

export interface ConnectionEnds {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

export interface CaptureRequest {
  readonly neighbor: Neighbor;
  readonly format: CaptureFormat;
  /** Ends after so many messages; absent: never by itself. */
  readonly count?: number;
  /** Ends after so many milliseconds. */
  readonly duration?: number;
}

export interface CapturePorts {
  readonly captures: Captures;
  /** The speaker's clock as milliseconds since 1970. */
  wall(monotonic: number): number;
  /** Addresses and ports of a connection; undefined: not known any more. */
  ends(connection: number): ConnectionEnds | undefined;
}

/** What may wait for a slow reader; what comes beyond is counted and left out. */
const LARGEST_QUEUE = 8 * 1024 * 1024;
const FIRST_EPHEMERAL_PORT = 49_152;
const BGP_PORT = 179;

export class CaptureStream implements AsyncIterableIterator<string | Uint8Array> {
  readonly #request: CaptureRequest;
  readonly #ports: CapturePorts;
  readonly #pcap = new PcapWriter();
  readonly #stop: () => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #queue: (string | Uint8Array)[] = [];
  #queued = 0;
  #left: number;
  #dropped = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(request: CaptureRequest, ports: CapturePorts) {
    this.#request = request;
    this.#ports = ports;
    this.#left = request.count ?? Number.POSITIVE_INFINITY;
    if (request.format === "pcap") this.#put(pcapHeader());
    this.#stop = ports.captures.start(request.neighbor, (message) => this.#take(message));
    if (request.duration !== undefined) this.#timer = setTimeout(() => this.#end(), request.duration);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const parts = this.#queue;
    if (parts.length === 0) return { done: true, value: undefined };
    this.#queue = [];
    this.#queued = 0;
    if (this.#dropped > 0) this.#sayDropped(parts);
    const value = this.#request.format === "pcap" ? Buffer.concat(parts as Uint8Array[]) : parts.join("");
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop();
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  #take(message: CapturedMessage): void {
    if (this.#ended) return;
    if (this.#queued > LARGEST_QUEUE) {
      this.#dropped++;
      return;
    }
    const { format } = this.#request;
    if (format === "pcap") this.#packets(message);
    else this.#put(format === "json" ? this.#json(message) : this.#text(message));
    this.#left--;
    if (this.#left <= 0) this.#end();
  }

  #put(part: string | Uint8Array): void {
    this.#queue.push(part);
    this.#queued += part.length;
    this.#wake?.();
  }

  #text({ direction, time, octets, context }: CapturedMessage): string {
    const { name } = this.#request.neighbor.peer.config;
    return `${this.#time(time)} ${name} ${direction} ${messageText(viewMessage(octets, context))}\n`;
  }

  #json({ direction, time, octets, context }: CapturedMessage): string {
    const { name } = this.#request.neighbor.peer.config;
    return `${JSON.stringify({ time: this.#time(time), peer: name, direction, ...viewMessage(octets, context) })}\n`;
  }

  #packets({ direction, connection, time, octets }: CapturedMessage): void {
    const { local, remote } = this.#ports.ends(connection) ?? likelyEnds(this.#request.neighbor, connection);
    const [source, destination] = direction === "sent" ? [local, remote] : [remote, local];
    const wallTime = this.#ports.wall(time);
    const packet = { wallTime, connection, source, destination, direction, octets };
    for (const record of this.#pcap.records(packet)) this.#put(record);
  }

  #time(monotonic: number): string {
    return new Date(this.#ports.wall(monotonic)).toISOString();
  }

  #sayDropped(parts: (string | Uint8Array)[]): void {
    const { format } = this.#request;
    const dropped = this.#dropped;
    // A pcap file has no place for words: there the gap is in the octets.
    if (format === "pcap") return;
    this.#dropped = 0;
    parts.push(
      format === "json" ? `${JSON.stringify({ dropped })}\n` : `${dropped} messages left out: read too slowly\n`,
    );
  }
}

/** For a connection whose socket is gone: even numbers are those this speaker dialled. */
function likelyEnds({ peer }: Neighbor, connection: number): ConnectionEnds {
  const { config, session } = peer;
  const dialled = connection % 2 === 0;
  const ephemeral = FIRST_EPHEMERAL_PORT + (connection % 16_384);
  const family = familyOf(config.address);
  const ours: Address | undefined = session?.local?.address ?? config.sourceAddress ?? config.localAddresses[family];
  return {
    local: { address: ours ?? new Uint8Array(family === 4 ? 4 : 16), port: dialled ? ephemeral : BGP_PORT },
    remote: { address: config.address, port: dialled ? config.port : ephemeral },
  };
}
