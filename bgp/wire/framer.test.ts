import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
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
    ["a message of type 0", () => frame(0, new Uint8Array(0)), [1, 3]],
    ["a message of type 6", () => frame(6, new Uint8Array(0)), [1, 3]],
  ])("%s is a fault (RFC 4271 6.1)", (_name, octets, fault) => {
    const framer = new Framer();
    framer.push(octets());
    expect(messagesOf(framer)).toEqual([fault]);
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
