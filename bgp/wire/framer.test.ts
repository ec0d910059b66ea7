import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Fault } from "./fault.ts";
import { encodeKeepalive, Framer, frame } from "./framer.ts";

function messagesOf(framer: Framer): unknown[] {
  const messages = [];
  for (let message = framer.next(); message !== undefined; message = framer.next()) {
    messages.push("action" in message ? [message.code, message.subcode] : [message.type, [...message.body]]);
    if ("action" in message) break;
  }
  return messages;
}

describe("the framer", () => {
  it("gives the same messages however the stream is cut", () => {
    const bodies = fc.array(fc.uint8Array({ minLength: 4, maxLength: 60 }), { maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.array(fc.nat({ max: 40 })), (all, cuts) => {
        const stream = Buffer.concat(all.map((body) => frame(2, body)));
        const framer = new Framer();
        const got: unknown[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          framer.push(stream.subarray(at, at + cut));
          at += cut;
          got.push(...messagesOf(framer));
        }
        expect(got).toEqual(all.map((body) => [2, [...body]]));
      }),
    );
  });

  it("a body does not share memory with what is sliced from it, also when the chunk is a Buffer", () => {
    const framer = new Framer();
    framer.push(Buffer.from(frame(2, Uint8Array.of(1, 2, 3, 4))));
    const message = framer.next();
    if (message === undefined || "action" in message) throw new Error("no message");
    const copy = message.body.slice(0, 2);
    copy[0] = 99;
    expect(message.body[0]).toBe(1);
  });

  it.each([
    ["a marker that is not all ones", () => encodeKeepalive().fill(0, 3, 4), [1, 1]],
    ["a length under 19", () => withLength(encodeKeepalive(), 18), [1, 2]],
    ["a length over 4096", () => withLength(encodeKeepalive(), 4097), [1, 2]],
    ["a KEEPALIVE of 20 octets", () => frame(4, Uint8Array.of(0)), [1, 2]],
    ["an OPEN of 28 octets", () => frame(1, new Uint8Array(9)), [1, 2]],
    ["an UPDATE of 22 octets", () => frame(2, new Uint8Array(3)), [1, 2]],
    ["a NOTIFICATION of 20 octets", () => frame(3, new Uint8Array(1)), [1, 2]],
    ["a ROUTE-REFRESH of 22 octets", () => frame(5, new Uint8Array(3)), [1, 2]],
    ["a message of type 0", () => frame(0, new Uint8Array(0)), [1, 3]],
    ["a message of type 6", () => frame(6, new Uint8Array(0)), [1, 3]],
  ])("%s is a fault (RFC 4271 6.1)", (_name, octets, fault) => {
    const framer = new Framer();
    framer.push(octets());
    expect(messagesOf(framer)).toEqual([fault]);
  });

  it.each([
    ["an UPDATE", 2, 65_535, undefined],
    ["a NOTIFICATION", 3, 65_535, undefined],
    ["a ROUTE-REFRESH", 5, 4097, undefined],
    ["an OPEN", 1, 4097, [1, 2]],
    ["a KEEPALIVE", 4, 4097, [1, 2]],
  ])("%s of more than 4096 octets once that was agreed (RFC 8654 4)", (_name, type, length, fault) => {
    const framer = new Framer();
    framer.maxLength = 65_535;
    framer.push(withLength(frame(type, new Uint8Array(65_535 - 19)), length));
    const [first] = messagesOf(framer);
    if (fault === undefined) expect((first as [number, number[]])[1]).toHaveLength(length - 19);
    else expect(first).toEqual(fault);
  });

  it.each([2, 3, 5])("a message of type %i of 4097 octets is too long where it was not", (type) => {
    const framer = new Framer();
    framer.push(frame(type, new Uint8Array(4097 - 19)));
    expect(messagesOf(framer)).toEqual([[1, 2]]);
  });

  it("quotes the length, or the type, that was wrong", () => {
    const dataOf = (octets: Uint8Array) => {
      const framer = new Framer();
      framer.push(octets);
      return [...(framer.next() as Fault).data];
    };
    expect(dataOf(withLength(encodeKeepalive(), 18))).toEqual([0, 18]);
    expect(dataOf(frame(77, new Uint8Array(0)))).toEqual([77]);
  });

  it("a wrong marker is told at its first octet", () => {
    const framer = new Framer();
    framer.push(new TextEncoder().encode("GET"));
    expect(messagesOf(framer)).toEqual([[1, 1]]);
  });
});

function withLength(message: Uint8Array, length: number): Uint8Array {
  message[16] = length >> 8;
  message[17] = length & 0xff;
  return message;
}
