import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import type { Capabilities } from "./capability.ts";
import { Framer, type RawMessage } from "./framer.ts";
import { decodeOpen, encodeOpen, type Open } from "./open.ts";

const MARKER = "ff".repeat(16);

function body(hex: string): Uint8Array {
  const framer = new Framer();
  framer.push(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  return (framer.next() as RawMessage).body;
}

/** An OPEN's body from version, AS, hold time, identifier and the optional parameters' hex. */
function openBody(
  parameters: string,
  { version = "04", as = "fc00", hold = "005a", id = "0a000001" } = {},
): Uint8Array {
  const octets = parameters.replaceAll(" ", "");
  const length = (octets.length / 2).toString(16).padStart(2, "0");
  return Buffer.from(version + as + hold + id + length + octets, "hex");
}

const GOLDEN: [string, Open, string][] = [
  [
    "two families, route refresh, graceful restart after a restart, four-octet AS",
    {
      asNumber: 4_200_000_001,
      holdTime: 9,
      bgpIdentifier: addressOf("10.10.1.11"),
      capabilities: {
        families: [4, 6],
        routeRefresh: true,
        fourOctetAs: 4_200_000_001,
        gracefulRestart: {
          restarted: true,
          restartTime: 120,
          families: [
            { family: 4, forwardingPreserved: true },
            { family: 6, forwardingPreserved: true },
          ],
        },
      },
    },
    `${MARKER} 003f 01 04 5ba0 0009 0a0a010b 22 02 20 0104 0001 00 01 0104 0002 00 01 0200 400a 8078 0001 01 80 0002 01 80 4104 fa56ea01`,
  ],
  [
    "no capability at all: an old speaker",
    {
      asNumber: 65001,
      holdTime: 180,
      bgpIdentifier: addressOf("192.0.2.1"),
      capabilities: { families: [], routeRefresh: false, fourOctetAs: undefined, gracefulRestart: undefined },
    },
    `${MARKER} 001d 01 04 fde9 00b4 c0000201 00`,
  ],
];

describe("OPEN", () => {
  it.each(GOLDEN)("%s: octets and value are the same, both ways", (_name, open, hex) => {
    expect(Buffer.from(encodeOpen(open)).toString("hex")).toBe(hex.replaceAll(" ", ""));
    expect(decodeOpen(body(hex))).toEqual(open);
  });

  it("decode undoes encode", () => {
    const family = fc.constantFrom(4 as const, 6 as const);
    const restart = fc.record({
      restarted: fc.boolean(),
      restartTime: fc.nat({ max: 4095 }),
      families: fc.uniqueArray(fc.record({ family, forwardingPreserved: fc.boolean() }), {
        selector: (one) => one.family,
      }),
    });
    const capabilities: fc.Arbitrary<Capabilities> = fc.record({
      families: fc.uniqueArray(family),
      routeRefresh: fc.boolean(),
      fourOctetAs: fc.constant(undefined),
      gracefulRestart: fc.option(restart, { nil: undefined }),
    });
    const open = fc.record({
      asNumber: fc.integer({ min: 1, max: 0xffffffff }),
      holdTime: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65535 })),
      bgpIdentifier: fc.uint8Array({ minLength: 4, maxLength: 4 }).filter((id) => id.some((octet) => octet !== 0)),
      capabilities,
    });
    fc.assert(
      fc.property(open, (value) => {
        const whole = { ...value, capabilities: { ...value.capabilities, fourOctetAs: value.asNumber } };
        expect(decodeOpen(encodeOpen(whole).subarray(19))).toEqual(whole);
      }),
    );
  });

  it.each([
    ["version 3", openBody("", { version: "03" }), 2, 1, "0004"],
    ["AS 0", openBody("", { as: "0000" }), 2, 2, "0000"],
    ["identifier 0.0.0.0", openBody("", { id: "00000000" }), 2, 3, "00000000"],
    ["a hold time of 1 s", openBody("", { hold: "0001" }), 2, 6, "0001"],
    ["an optional parameter that is no capability", openBody("0100"), 2, 4, ""],
    ["a parameter that overruns", openBody("0204 4104"), 2, 0, ""],
    ["a capability that overruns its parameter", openBody("0203 4104 00"), 2, 0, ""],
    ["a parameter header cut off", openBody("02"), 2, 0, ""],
    ["parameters that do not fill the message", Buffer.concat([openBody(""), Buffer.from([0])]), 2, 0, ""],
    ["length 255 with nothing behind it (CVE-2022-43681)", Buffer.from("0400de00deadbeef6bff", "hex"), 2, 0, ""],
  ])("%s is refused", (_name, octets, code, subcode, data) => {
    const fault = decodeOpen(octets);
    expect(fault).toMatchObject({ action: "reset", code, subcode });
    expect(Buffer.from((fault as { data: Uint8Array }).data).toString("hex")).toBe(data);
  });

  it("takes parameters of extended length (RFC 9072), whatever the first length octet says", () => {
    const capabilities = "02 0006 4104 0000fde9";
    for (const first of ["ff", "09"]) {
      const open = decodeOpen(
        Buffer.from(`04fde900b4c0000201${first}ff0009${capabilities}`.replaceAll(" ", ""), "hex"),
      );
      expect(open).toMatchObject({ asNumber: 65001, capabilities: { fourOctetAs: 65001 } });
    }
  });

  it("ignores unknown capabilities and known ones of a wrong length (RFC 5492)", () => {
    const open = decodeOpen(openBody("0208 4600 4102 fde9 0200"));
    expect(open).toMatchObject({ asNumber: 64512, capabilities: { fourOctetAs: undefined, routeRefresh: true } });
  });
});
