/**
 * Requests to the kernel, laid out as octets: `struct nlmsghdr`, a fixed header, then attributes. Pure code.
 *
 * Many requests share one buffer, because one send of 200 to 500 requests with an acknowledgement on the last is what
 * makes 300,000 routes a second. Numbers are in the byte order of the machine, addresses in network order.
 */
import { endianness } from "node:os";
import { NLA_F_NESTED, NLM_F_ACK, NLM_F_REQUEST } from "./constants.ts";

export const HEADER_LENGTH = 16;
export const HOST_IS_LITTLE = endianness() === "LE";

const ENCODER = new TextEncoder();

export class RequestBatch {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #starts: number[] = [];

  /** Number of requests in the batch. */
  get count(): number {
    return this.#starts.length;
  }

  /** Octets laid out so far. */
  get length(): number {
    return this.#length;
  }

  /** The octets laid out so far, as a view: requests carry no sequence numbers yet. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    this.#starts.length = 0;
  }

  /** Starts a request; it lasts until {@link end}. NLM_F_REQUEST is always set. */
  begin(type: number, flags = 0): this {
    this.#starts.push(this.#length);
    return this.u32(0)
      .u16(type)
      .u16(flags | NLM_F_REQUEST)
      .u32(0)
      .u32(0);
  }

  end(): void {
    const start = this.#starts.at(-1) as number;
    this.#view.setUint32(start, this.#length - start, HOST_IS_LITTLE);
    this.#align();
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, HOST_IS_LITTLE);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, HOST_IS_LITTLE);
    this.#length += 4;
    return this;
  }

  octets(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    this.u16(4 + value.length)
      .u16(type)
      .octets(value);
    this.#align();
    return this;
  }

  attributeU8(type: number, value: number): this {
    this.u16(5).u16(type).u8(value);
    this.#align();
    return this;
  }

  attributeU32(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** Text with the closing NUL the kernel wants for names. */
  attributeText(type: number, value: string): this {
    return this.attribute(type, ENCODER.encode(`${value}\0`));
  }

  /** Attributes within an attribute. `headed: true` leaves out the nested flag, for types that begin with a header. */
  nest(type: number, content: () => void, headed = false): this {
    const start = this.#length;
    this.u16(0).u16(headed ? type : type | NLA_F_NESTED);
    content();
    return this.closeLength(start);
  }

  /**
   * Writes the length of what began at the offset, `struct rtattr` or `struct rtnexthop`, into its first two octets.
   */
  closeLength(start: number): this {
    this.#view.setUint16(start, this.#length - start, HOST_IS_LITTLE);
    this.#align();
    return this;
  }

  /** Numbers the requests from the given sequence on, asks for an acknowledgement of the last, and gives the octets. */
  seal(firstSequence: number): Uint8Array {
    for (const [i, start] of this.#starts.entries()) {
      this.#view.setUint32(start + 8, firstSequence + i, HOST_IS_LITTLE);
    }
    const last = (this.#starts.at(-1) as number) + 6;
    this.#view.setUint16(last, this.#view.getUint16(last, HOST_IS_LITTLE) | NLM_F_ACK, HOST_IS_LITTLE);
    return this.#bytes.subarray(0, this.#length);
  }

  #align(): void {
    while ((this.#length & 3) !== 0) this.u8(0);
  }

  #reserve(octets: number): void {
    if (this.#length + octets <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + octets));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
