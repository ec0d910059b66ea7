import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { NO_CAPABILITIES } from "./capability.ts";
import { AS_TRANS } from "./codes.ts";
import { isFault } from "./fault.ts";
import { Framer, type RawMessage } from "./framer.ts";
import { decodeOpen, encodeOpen, type Open } from "./open.ts";

const MARKER = "ff".repeat(16);

function body(hex: string): Uint8Array {
  const framer = new Framer();
  framer.push(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  return (framer.next() as RawMessage).body;
}

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
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
        ...NO_CAPABILITIES,
        families: [4, 6],
        multiprotocol: true,
        routeRefresh: true,
        fourOctetAs: 4_200_000_001,
        gracefulRestart: {
          restarted: true,
          notification: false,
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
      capabilities: NO_CAPABILITIES,
    },
    `${MARKER} 001d 01 04 fde9 00b4 c0000201 00`,
  ],
];

describe("OPEN", () => {
  it.each(GOLDEN)("%s: octets and value are the same, both ways", (_name, open, hex) => {
    expect(Buffer.from(encodeOpen(open)).toString("hex")).toBe(hex.replaceAll(" ", ""));
    expect(decodeOpen(body(hex))).toEqual(open);
  });

  it("decode undoes encode, also where the parameters need the long form (RFC 9072)", () => {
    const open = fc.record({
      asNumber: fc.integer({ min: 1, max: 0xffffffff }).filter((as) => as !== AS_TRANS),
      holdTime: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65535 })),
      bgpIdentifier: fc.uint8Array({ minLength: 4, maxLength: 4 }).filter((id) => id.some((octet) => octet !== 0)),
      roles: fc.array(fc.nat({ max: 255 }), { maxLength: 300 }),
    });
    fc.assert(
      fc.property(open, ({ roles, ...value }) => {
        const whole: Open = { ...value, capabilities: { ...NO_CAPABILITIES, roles, fourOctetAs: value.asNumber } };
        expect(decodeOpen(encodeOpen(whole).subarray(19))).toEqual(whole);
      }),
    );
  });

  it("whatever comes is an OPEN or a fault of code 2", () => {
    const front = fc.constant([4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1]);
    const back = fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 4, 65, 255), fc.nat({ max: 255 })), { minLength: 1 });
    fc.assert(
      fc.property(front, back, (head, tail) => {
        const open = decodeOpen(Uint8Array.from([...head, ...tail]));
        if (isFault(open)) expect([open.action, open.code]).toEqual(["reset", 2]);
        else expect(open.holdTime).toBe(90);
      }),
    );
  });

  it.each([
    ["version 3", openBody("", { version: "03" }), 2, 1, "0004"],
    ["AS 0 (RFC 7607)", openBody("", { as: "0000" }), 2, 2, ""],
    ["AS 0 in the capability", openBody("0206 4104 00000000"), 2, 2, ""],
    ["AS 0 beside a capability with another", openBody("0206 4104 0000fc00", { as: "0000" }), 2, 2, ""],
    ["identifier 0.0.0.0", openBody("", { id: "00000000" }), 2, 3, "00000000"],
    ["a hold time of 1 s", openBody("", { hold: "0001" }), 2, 6, "0001"],
    ["an optional parameter that is no capability", openBody("0100"), 2, 4, ""],
    ["a parameter that overruns", openBody("0204 4104"), 2, 0, ""],
    ["a capability that overruns its parameter", openBody("0203 4104 00"), 2, 0, ""],
    ["a parameter header cut off", openBody("02"), 2, 0, ""],
    ["parameters that do not fill the message", Buffer.concat([openBody(""), Buffer.from([0])]), 2, 0, ""],
    ["a hold time of 2 s", openBody("", { hold: "0002" }), 2, 6, "0002"],
    ["half a capability header", openBody("0203 0200 46"), 2, 0, ""],
    ["a capability without its parameter's last octet", openBody("0205 4104 0000fc"), 2, 0, ""],
    ["length 255 with nothing behind it (CVE-2022-43681)", bytes("0400de00deadbeef6bff"), 2, 0, ""],
    ["two octets of an extended header (CVE-2022-40302)", bytes("04dead0005c0a83901ffff00020001"), 2, 0, ""],
    ["the extended type without its length", bytes("04fde900b4c0000201ffff00"), 2, 0, ""],
    ["an end in an extended header (CVE-2022-40318)", bytes("04fde900b4c0000201ffff00020200"), 2, 0, ""],
    ["an extended length beyond the message", bytes("04fde900b4c0000201ffff00ff020000"), 2, 0, ""],
    ["an extended length short of the message", bytes("04fde900b4c0000201ffff0000020000"), 2, 0, ""],
    ["an extended parameter that overruns", bytes("04fde900b4c0000201ffff0005020006 4104"), 2, 0, ""],
    ["an extended parameter of type 255", bytes("04fde900b4c0000201ffff0003ff0000"), 2, 4, ""],
  ])("%s is refused", (_name, octets, code, subcode, data) => {
    const fault = decodeOpen(octets);
    expect(fault).toMatchObject({ action: "reset", code, subcode });
    expect(Buffer.from((fault as { data: Uint8Array }).data).toString("hex")).toBe(data);
  });

  it("takes parameters of extended length (RFC 9072), whatever the first length octet says", () => {
    const capabilities = "02 0006 4104 0000fde9";
    for (const first of ["ff", "09", "01"]) {
      const open = decodeOpen(bytes(`04fde900b4c0000201${first}ff0009${capabilities}`));
      expect(open).toMatchObject({ asNumber: 65001, capabilities: { fourOctetAs: 65001 } });
    }
  });

  it("an extended length of nothing is one", () => {
    expect(decodeOpen(bytes("04fde900b4c0000201ffff0000"))).toMatchObject({ asNumber: 65001 });
  });

  it.each([
    ["an AS number that would fit", "5ba0", "0000fde9", 65001],
    ["another one than the capability's, which counts", "fde8", "0000fde9", 65001],
    ["one that does not", "5ba0", "fa56ea01", 4_200_000_001],
  ])("takes AS_TRANS with the capability for %s", (_name, as, capability, asNumber) => {
    expect(decodeOpen(openBody(`0206 4104 ${capability}`, { as }))).toMatchObject({ asNumber });
  });

  it("ignores unknown capabilities and known ones of a wrong length (RFC 5492)", () => {
    const open = decodeOpen(openBody("0208 4600 4102 fde9 0200"));
    expect(open).toMatchObject({ asNumber: 64512, capabilities: { fourOctetAs: undefined, routeRefresh: true } });
  });
});
