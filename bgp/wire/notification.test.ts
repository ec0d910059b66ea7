import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  decodeNotification,
  describeNotification,
  encodeNotification,
  encodeShutdownMessage,
  hardReset,
  isHardReset,
} from "./notification.ts";

describe("NOTIFICATION", () => {
  it("octets and value are the same, both ways", () => {
    const notification = { code: 6, subcode: 2, data: Uint8Array.of(2, 0x68, 0x69) };
    const octets = encodeNotification(notification);
    expect(Buffer.from(octets).toString("hex")).toBe(`${"ff".repeat(16)}0018030602026869`);
    expect(decodeNotification(octets.subarray(19))).toEqual(notification);
  });

  it.each([
    [
      6,
      2,
      encodeShutdownMessage("maintenance until 22:00 ☕"),
      'Cease/Administrative Shutdown: "maintenance until 22:00 ☕"',
    ],
    [6, 4, new Uint8Array(0), "Cease/Administrative Reset"],
    [6, 2, Uint8Array.of(200, 0x68), "Cease/Administrative Shutdown"],
    [6, 2, Uint8Array.of(0), "Cease/Administrative Shutdown"],
    [6, 2, Uint8Array.of(1, 0x68, 0x69, 0x69), 'Cease/Administrative Shutdown: "h"'],
    [6, 2, Uint8Array.of(2, 0x1b, 0xff), 'Cease/Administrative Shutdown: "\ufffd\ufffd"'],
    [6, 3, Uint8Array.of(1, 0x68), "Cease/Peer De-configured"],
    [6, 10, new Uint8Array(0), "Cease/BFD Down"],
    [8, 0, new Uint8Array(0), "Send Hold Timer Expired"],
    [6, 9, new Uint8Array(0), "Cease/Hard Reset"],
    [6, 9, Uint8Array.of(6), "Cease/Hard Reset"],
    [6, 9, Uint8Array.of(6, 2, 1, 0x68), 'Cease/Hard Reset (Cease/Administrative Shutdown: "h")'],
    [6, 9, Uint8Array.of(6, 9, 6, 9, 6, 9), "Cease/Hard Reset (Cease/Hard Reset)"],
    [4, 0, new Uint8Array(0), "Hold Timer Expired"],
    [2, 2, Uint8Array.of(0xfd, 0xe9), "OPEN Message Error/Bad Peer AS"],
    [3, 77, new Uint8Array(0), "UPDATE Message Error/subcode 77"],
    [99, 1, new Uint8Array(0), "error 99/subcode 1"],
  ])("%i/%i in words", (code, subcode, data, words) => {
    expect(describeNotification({ code, subcode, data })).toBe(words);
  });

  it("a Hard Reset carries what it stands for (RFC 8538 3)", () => {
    const wrapped = hardReset({ code: 6, subcode: 1, data: Uint8Array.of(0, 1, 1, 0, 0, 0, 9) });
    expect(isHardReset(wrapped)).toBe(true);
    expect(Buffer.from(encodeNotification(wrapped)).toString("hex").slice(32)).toBe("001e030609060100010100000009");
  });

  it("never is longer than what every peer takes", () => {
    const data = new Uint8Array(65_535).fill(7);
    const octets = encodeNotification({ code: 7, subcode: 1, data });
    expect(octets).toHaveLength(4096);
    expect(decodeNotification(octets.subarray(19)).data).toEqual(data.subarray(0, 4096 - 21));
  });

  it("decode undoes encode, and any of them can be described", () => {
    const octet = fc.nat({ max: 255 });
    const any = fc.record({ code: octet, subcode: octet, data: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(any, (notification) => {
        expect(decodeNotification(encodeNotification(notification).subarray(19))).toEqual(notification);
        expect(describeNotification(notification)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it("a shutdown message is cut at 255 octets, not inside a character (RFC 9003)", () => {
    const data = encodeShutdownMessage(`${"x".repeat(253)}☕☕`);
    expect(data[0]).toBe(253);
    expect(new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(1))).toBe("x".repeat(253));
  });
});
