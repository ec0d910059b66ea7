import { describe, expect, it } from "@jest/globals";
import { decodeRouteRefresh, encodeRouteRefresh, type RefreshKind, type RouteRefresh } from "./route-refresh.ts";

const MARKER = "ff".repeat(16);

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

describe("ROUTE-REFRESH", () => {
  it.each<[4 | 6, RefreshKind, string]>([
    [4, "request", "0001 00 01"],
    [6, "request", "0002 00 01"],
    [4, "begin", "0001 01 01"],
    [6, "end", "0002 02 01"],
  ])("IPv%i, %s: octets and value are the same, both ways", (family, kind, hex) => {
    const octets = encodeRouteRefresh(family, kind);
    expect(Buffer.from(octets).toString("hex")).toBe(`${MARKER} 0017 05 ${hex}`.replaceAll(" ", ""));
    expect(decodeRouteRefresh(octets.subarray(19), true)).toEqual({ family, kind });
  });

  it.each<[string, string, boolean, RouteRefresh | undefined]>([
    ["a request with filters behind it (RFC 5291)", "0001 00 01 02 40 0018 00", true, { family: 4, kind: "request" }],
    ["a family we do not speak", "0019 00 41", true, undefined],
    ["IPv4 multicast", "0001 00 02", true, undefined],
    ["an unknown subtype", "0001 03 01", true, undefined],
    ["an unknown subtype without the capability", "0001 ff 01", false, undefined],
    ["a beginning that was not agreed on", "0001 01 01", false, undefined],
    ["an end that was not agreed on, too long", "0001 02 01 00", false, undefined],
  ])("%s", (_name, hex, enhanced, expected) => {
    expect(decodeRouteRefresh(bytes(hex), enhanced)).toEqual(expected);
  });

  it.each(["0001 01 01 00", "0001 02 01 00", "0019 01 41 ffff"])(
    "a mark of another length than 4, %s, is quoted in a fault (RFC 7313 5)",
    (hex) => {
      const body = bytes(hex);
      const fault = decodeRouteRefresh(body, true) as { data: Uint8Array };
      expect(fault).toMatchObject({ action: "reset", code: 7, subcode: 1 });
      const length = (19 + body.length).toString(16).padStart(4, "0");
      expect(Buffer.from(fault.data).toString("hex")).toBe(`${MARKER}${length}05${hex.replaceAll(" ", "")}`);
    },
  );
});
