import { describe, expect, it } from "@jest/globals";
import { decodeNotification, describeNotification, encodeNotification, encodeShutdownMessage } from "./notification.ts";

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
    [4, 0, new Uint8Array(0), "Hold Timer Expired"],
    [2, 2, Uint8Array.of(0xfd, 0xe9), "OPEN Message Error/Bad Peer AS"],
    [3, 77, new Uint8Array(0), "UPDATE Message Error/subcode 77"],
    [99, 1, new Uint8Array(0), "error 99/subcode 1"],
  ])("%i/%i in words", (code, subcode, data, words) => {
    expect(describeNotification({ code, subcode, data })).toBe(words);
  });

  it("a shutdown message is cut at 255 octets, not inside a character (RFC 9003)", () => {
    const data = encodeShutdownMessage(`${"x".repeat(253)}☕☕`);
    expect(data[0]).toBe(253);
    expect(new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(1))).toBe("x".repeat(253));
  });
});
