import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Capabilities, decodeCapabilities, encodeCapabilities, NO_CAPABILITIES } from "./capability.ts";

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

function decoded(hex: string): Capabilities | undefined {
  return decodeCapabilities(bytes(hex), NO_CAPABILITIES);
}

const VECTORS: [string, Partial<Capabilities>, string][] = [
  ["multiprotocol (RFC 4760)", { families: [6, 4], multiprotocol: true }, "0104 0002 00 01 0104 0001 00 01"],
  ["route refresh (RFC 2918)", { routeRefresh: true }, "0200"],
  ["extended next hop (RFC 8950)", { extendedNextHop: true }, "0506 0001 0001 0002"],
  ["extended message (RFC 8654)", { extendedMessage: true }, "0600"],
  ["role (RFC 9234)", { roles: [3] }, "0901 03"],
  [
    "graceful restart (RFC 4724), with notifications (RFC 8538)",
    {
      gracefulRestart: {
        restarted: false,
        notification: true,
        restartTime: 4095,
        families: [
          { family: 4, forwardingPreserved: true },
          { family: 6, forwardingPreserved: false },
        ],
      },
    },
    "400a 4fff 0001 01 80 0002 01 00",
  ],
  [
    "graceful restart of nothing: only End-of-RIB",
    { gracefulRestart: { restarted: true, notification: false, restartTime: 0, families: [] } },
    "4002 8000",
  ],
  ["four-octet AS (RFC 6793)", { fourOctetAs: 4_200_000_001 }, "4104 fa56ea01"],
  [
    "several paths (RFC 7911)",
    {
      addPath: [
        { family: 4, send: true, receive: true },
        { family: 6, send: false, receive: true },
      ],
    },
    "4508 0001 01 03 0002 01 01",
  ],
  ["enhanced route refresh (RFC 7313)", { enhancedRefresh: true }, "4600"],
  [
    "long-lived graceful restart (RFC 9494)",
    { longLived: [{ family: 6, forwardingPreserved: true, staleTime: 0xffffff }] },
    "4707 0002 01 80 ffffff",
  ],
];

const FIRST_ONLY: Partial<Capabilities> = { longLived: [{ family: 4, forwardingPreserved: true, staleTime: 1 }] };

describe("capabilities", () => {
  it.each(VECTORS)("%s: octets and value are the same, both ways", (_name, part, hex) => {
    const value = { ...NO_CAPABILITIES, ...part };
    expect(Buffer.from(encodeCapabilities(value)).toString("hex")).toBe(hex.replaceAll(" ", ""));
    expect(decoded(hex)).toEqual(value);
  });

  it("decode undoes encode, also from several parameters", () => {
    const family = fc.constantFrom(4 as const, 6 as const);
    const perFamily = <T extends { family: 4 | 6 }>(one: fc.Arbitrary<T>) =>
      fc.uniqueArray(one, { selector: (value) => value.family });
    const forwardingPreserved = fc.boolean();
    const families = fc.uniqueArray(family);
    const someAddPath = fc
      .record({ family, send: fc.boolean(), receive: fc.boolean() })
      .filter(({ send, receive }) => send || receive);
    const any: fc.Arbitrary<Capabilities> = fc
      .record({
        families,
        routeRefresh: fc.boolean(),
        enhancedRefresh: fc.boolean(),
        extendedMessage: fc.boolean(),
        extendedNextHop: fc.boolean(),
        roles: fc.array(fc.nat({ max: 255 }), { maxLength: 3 }),
        fourOctetAs: fc.option(fc.nat({ max: 0xffffffff }), { nil: undefined }),
        gracefulRestart: fc.option(
          fc.record({
            restarted: fc.boolean(),
            notification: fc.boolean(),
            restartTime: fc.nat({ max: 4095 }),
            families: perFamily(fc.record({ family, forwardingPreserved })),
          }),
          { nil: undefined },
        ),
        longLived: perFamily(fc.record({ family, forwardingPreserved, staleTime: fc.nat({ max: 0xffffff }) })),
        addPath: perFamily(someAddPath),
      })
      .map((value) => ({ ...value, multiprotocol: value.families.length > 0 }));
    fc.assert(
      fc.property(any, (value) => {
        const octets = encodeCapabilities(value);
        expect(decodeCapabilities(octets, NO_CAPABILITIES)).toEqual(value);
        expect(decodeCapabilities(new Uint8Array(0), value)).toEqual(value);
      }),
    );
  });

  it.each<[string, string, Partial<Capabilities>]>([
    ["families of others", "0104 0019 00 41 0104 0001 00 80", { multiprotocol: true }],
    ["a reserved octet that is not 0", "0104 0001 ff 01", { families: [4], multiprotocol: true }],
    ["a family twice", "0104 0001 00 01 0104 0001 00 01", { families: [4], multiprotocol: true }],
    ["multiprotocol of three octets", "0103 0001 00", {}],
    ["route refresh with a value", "0201 00", {}],
    ["next hops of IPv6 for IPv4 multicast and labels", "050c 0001 0002 0002 0001 0004 0002", {}],
    ["a role of two octets", "0902 0300", {}],
    ["two roles", "0901 03 0901 00", { roles: [3, 0] }],
    ["four-octet AS of two octets", "4102 fde9", {}],
    ["several paths with a value nobody knows", "4508 0001 01 04 0002 01 00", {}],
    ["long-lived twice for a family: the first", "470e 0001 01 80 000001 0001 01 00 000002", FIRST_ONLY],
    ["host and domain name whose inner lengths overrun (CVE-2026-5122)", "4904 ff 61 ff 62", {}],
    ["software version whose inner length overruns (CVE-2023-41361)", "4b03 ff 61 62", {}],
    ["software version of nothing (CVE-2025-43971)", "4b01 00", {}],
    ["outbound filters that count too many (CVE-2012-1820)", "0307 0001 00 01 ff 40 03", {}],
    ["dynamic capability, multisession, old refresh, link-local next hop", "4300 4401 00 8000 4d00", {}],
  ])("%s", (_name, hex, part) => {
    expect(decoded(hex)).toEqual({ ...NO_CAPABILITIES, ...part });
  });

  it("reserved bits of graceful restart mean nothing (RFC 4724 3)", () => {
    const plain = decoded("4006 0078 0001 01 80");
    expect(plain?.gracefulRestart?.families).toEqual([{ family: 4, forwardingPreserved: true }]);
    expect(decoded("4006 3078 0001 01 ff")).toEqual(plain);
    expect(decoded("4006 0078 0001 01 7f")).toEqual(decoded("4006 0078 0001 01 00"));
  });

  it("of several graceful restarts the last one counts (RFC 4724 3)", () => {
    expect(decoded("4002 8078 4002 0005")?.gracefulRestart).toMatchObject({ restarted: false, restartTime: 5 });
  });

  it.each([
    ["one octet", "41"],
    ["a value that is short", "4104 0000fd"],
    ["one that is short behind a whole one", "0104 0001 00 01 02"],
    ["nothing of 255", "02ff"],
    ["extended next hop cut short", "0505 0001 0001 00"],
    ["graceful restart without its head", "4001 80"],
    ["graceful restart with half a tuple (CVE-2024-31948)", "4004 0078 0001"],
    ["several paths in half a tuple", "4503 0001 01"],
    ["a long-lived tuple cut short (CVE-2023-31489)", "4706 0001 01 80 0000"],
  ])("%s is malformed (RFC 4271 6.2)", (_name, hex) => {
    expect(decoded(hex)).toBeUndefined();
  });
});
