/** OPEN: RFC 4271 4.2 and 6.2, capabilities (RFC 5492), long parameters (RFC 9072), identifiers (RFC 6286). */
import { type Case, resets } from "../case.ts";
import {
  capability,
  fourOctetAs,
  gracefulRestart,
  longParameter,
  message,
  multiprotocol,
  type OpenParts,
  open,
  parameter,
  routeRefresh,
  Type,
} from "../messages.ts";
import { cat, filler, ip, type Octets, u8, u16, zeros } from "../octets.ts";
import { PEERS, type PeerName } from "../peers.ts";
import { capabilitiesFor, type Terms } from "../terms.ts";

const { asNumber } = PEERS.external;
const CAPABILITIES = capabilitiesFor(asNumber, {});

const opening = (parts: Partial<OpenParts>): Octets =>
  open({ asNumber, identifier: "192.0.2.11", capabilities: CAPABILITIES, ...parts });

const refused = (
  id: string,
  title: string,
  says: Octets,
  reset: string | readonly string[],
  more: { readonly data?: Octets; readonly by?: PeerName } = {},
): Case => resets(id, title, says, reset, { stage: "connected", ...more });

/** The session is established, and carries routes. */
const agreed = (id: string, title: string, octets: Octets, terms: Terms = {}, by: PeerName = "external"): Case => ({
  id,
  title,
  open: octets,
  by,
  terms: { [by]: terms },
});

/** Only IPv4 and two-octet AS numbers are agreed on. */
const PLAIN: Terms = { families: [], as4: false };

export const RFC4271_OPEN: readonly Case[] = [
  refused("4271-6.2-01", "version 3", opening({ version: 3 }), "2/1", { data: u16(4) }),
  refused("4271-6.2-02", "version 5", opening({ version: 5 }), "2/1", { data: u16(4) }),
  refused(
    "4271-6.2-03",
    "another AS number",
    opening({ asNumber: 65_002, capabilities: capabilitiesFor(65_002, {}) }),
    "2/2",
  ),
  refused(
    "4271-6.2-04",
    "another AS number, without the capability",
    opening({ asNumber: 65_002, capabilities: [] }),
    "2/2",
  ),
  refused("4271-6.2-05", "identifier 0.0.0.0", opening({ identifier: "0.0.0.0" }), "2/3"),
  refused("4271-6.2-06", "hold time 1", opening({ holdTime: 1 }), "2/6"),
  refused("4271-6.2-07", "hold time 2", opening({ holdTime: 2 }), "2/6"),
  refused(
    "4271-6.2-08",
    "an optional parameter nobody knows",
    opening({ parameters: parameter(99, filler(3)) }),
    "2/4",
  ),
  refused("4271-6.2-09", "the deprecated authentication parameter", opening({ parameters: parameter(1, filler(3)) }), [
    "2/4",
    "2/5",
  ]),
  refused(
    "4271-6.2-10",
    "a parameter that overruns the parameters",
    opening({ parameters: cat([2, 200], multiprotocol(1)) }),
    "2/0",
  ),
  refused("4271-6.2-11", "parameters shorter than they claim", opening({ parametersLength: 200 }), "2/0"),
  refused(
    "4271-6.2-12",
    "octets behind the parameters",
    message(Type.open, cat(opening({}).subarray(19), zeros(3))),
    "2/0",
  ),
  refused("4271-6.2-13", "one octet of a parameter", opening({ parameters: cat([2]) }), "2/0"),
  agreed("4271-4.2-01", "hold time 0", opening({ holdTime: 0 })),
  agreed("4271-4.2-02", "hold time 3", opening({ holdTime: 3 })),
  agreed("4271-4.2-03", "hold time 65535", opening({ holdTime: 65_535 })),
  agreed("4271-4.2-04", "no optional parameters", opening({ capabilities: [] }), PLAIN),
  agreed("6286-2.1-01", "an identifier that is no unicast address", opening({ identifier: "239.1.2.3" })),
  agreed("6286-2.1-02", "an external peer with our own identifier", opening({ identifier: "192.0.2.1" })),
  refused(
    "6286-2.2-01",
    "an internal peer with our own identifier",
    open({ asNumber: 65_000, identifier: "192.0.2.1", capabilities: capabilitiesFor(65_000, {}) }),
    "2/3",
    { by: "internal" },
  ),
  agreed(
    "5492-3-01",
    "capabilities nobody knows",
    opening({ capabilities: [...CAPABILITIES, capability(200, filler(20)), capability(199)] }),
  ),
  agreed(
    "5492-4-01",
    "each capability in a parameter of its own",
    opening({ parameters: cat(...CAPABILITIES.map((one) => parameter(2, one))) }),
  ),
  agreed("5492-4-02", "the same capability twice", opening({ capabilities: [...CAPABILITIES, ...CAPABILITIES] })),
  agreed(
    "5492-4-03",
    "an empty capabilities parameter",
    opening({ parameters: cat(parameter(2, cat()), parameter(2, cat(...CAPABILITIES))) }),
  ),
  refused(
    "5492-4-04",
    "a capability that overruns its parameter",
    opening({ parameters: parameter(2, cat(multiprotocol(1), [65, 40, 0, 0])) }),
    "2/0",
  ),
  refused(
    "5492-4-05",
    "one octet of a capability",
    opening({ parameters: parameter(2, cat(multiprotocol(1), [65])) }),
    "2/0",
  ),
  agreed(
    "4760-8-01",
    "families we do not speak beside those we do",
    opening({ capabilities: [multiprotocol(25, 65), multiprotocol(1, 128), ...CAPABILITIES] }),
  ),
  agreed("4760-8-02", "IPv6 alone", opening({ capabilities: capabilitiesFor(asNumber, { families: [2] }) }), {
    families: [2],
  }),
  agreed(
    "6793-3-01",
    "an AS number of four octets",
    open({
      asNumber: PEERS.big.asNumber,
      identifier: "192.0.2.14",
      capabilities: capabilitiesFor(PEERS.big.asNumber, {}),
    }),
    {},
    "big",
  ),
  refused(
    "6793-3-02",
    "AS_TRANS without the capability",
    open({ asNumber: 23_456, identifier: "192.0.2.14", capabilities: [multiprotocol(1)] }),
    "2/2",
    { by: "big" },
  ),
  agreed(
    "6793-3-04",
    "of two numbers that differ that in the capability counts",
    open({
      asNumber: 1,
      identifier: "192.0.2.14",
      capabilities: capabilitiesFor(PEERS.big.asNumber, {}),
    }),
    {},
    "big",
  ),
  refused(
    "6793-3-03",
    "the capability with another AS number",
    opening({ capabilities: [multiprotocol(1), fourOctetAs(65_002)] }),
    "2/2",
  ),
  refused("7607-2-01", "AS 0", opening({ asNumber: 0, capabilities: [] }), "2/2"),
  refused("7607-2-02", "AS 0 in the capability", opening({ capabilities: [multiprotocol(1), fourOctetAs(0)] }), "2/2"),
  agreed("9072-2-01", "the long form", opening({ parametersLength: 255, parameters: long(parameter2()) })),
  agreed(
    "9072-2-02",
    "the long form with more than 255 octets",
    opening({
      parametersLength: 255,
      parameters: long(
        cat(
          parameter2(),
          longParameter(2, capability(201, filler(250))),
          longParameter(2, capability(202, filler(250))),
        ),
      ),
    }),
  ),
  agreed(
    "9072-2-03",
    "the long form behind a length that is not 255",
    opening({ parametersLength: 254, parameters: long(parameter2()) }),
  ),
  refused(
    "9072-2-04",
    "a long form that ends in a parameter's header",
    opening({ parametersLength: 255, parameters: cat([255], u16(2), [2, 0]) }),
    "2/0",
  ),
  refused(
    "9072-2-05",
    "a long form longer than the message",
    opening({ parametersLength: 255, parameters: cat([255], u16(500), parameter2()) }),
    "2/0",
  ),
  refused(
    "9072-2-06",
    "a length of 255 and nothing behind it",
    message(Type.open, cat([4], u16(asNumber), u16(90), ip("192.0.2.11"), u8(255))),
    "2/0",
  ),
  refused(
    "9072-2-07",
    "a long form in which an unknown parameter stands",
    opening({ parametersLength: 255, parameters: long(longParameter(77, filler(3))) }),
    "2/4",
  ),
  refused(
    "9072-2-08",
    "255 as length and type with two octets behind",
    message(Type.open, cat([4], u16(asNumber), u16(90), ip("192.0.2.11"), [255, 255, 0, 2, 0, 1])),
    "2/0",
  ),
  agreed(
    "2918-2-01",
    "no ROUTE-REFRESH capability",
    opening({ capabilities: capabilitiesFor(asNumber, { refresh: false }) }),
    { refresh: false },
  ),
  agreed(
    "4724-3-01",
    "a graceful restart capability without families",
    opening({ capabilities: [...CAPABILITIES, gracefulRestart(0, 120)] }),
  ),
  refused(
    "4724-3-02",
    "a graceful restart capability that is cut off in a family",
    opening({ capabilities: [...CAPABILITIES, capability(64, [0, 120, 0, 1, 1])] }),
    "2/0",
  ),
  agreed(
    "4724-3-03",
    "two graceful restart capabilities",
    opening({ capabilities: [...CAPABILITIES, gracefulRestart(0, 120, [1, 0x80]), gracefulRestart(0, 0)] }),
  ),
  refused(
    "9494-3-01",
    "a long-lived capability that is cut off",
    opening({ capabilities: [...CAPABILITIES, gracefulRestart(0, 0, [1, 0]), capability(71, [0, 1, 1, 0])] }),
    "2/0",
  ),
  refused(
    "7911-4-01",
    "an add-path capability that is cut off",
    opening({ capabilities: [...CAPABILITIES, capability(69, [0, 1, 1])] }),
    "2/0",
  ),
  agreed(
    "7911-4-02",
    "an add-path mode of 4 counts for nothing",
    opening({ capabilities: [...CAPABILITIES, capability(69, [0, 1, 1, 4])] }),
  ),
  refused(
    "8950-4-01",
    "an extended next hop capability that is cut off",
    opening({ capabilities: [...CAPABILITIES, capability(5, [0, 1, 0, 1, 0])] }),
    "2/0",
  ),
  agreed(
    "5492-5-01",
    "the software's version and name in capabilities that overrun within themselves",
    opening({ capabilities: [...CAPABILITIES, capability(75, [9, 65]), capability(73, [200, 65])] }),
  ),
  agreed(
    "2918-2-02",
    "the capabilities of old",
    opening({ capabilities: [...CAPABILITIES, capability(128), routeRefresh()] }),
  ),
];

function parameter2(): Octets {
  return longParameter(2, cat(...CAPABILITIES));
}

function long(parameters: Octets): Octets {
  return cat([255], u16(parameters.length), parameters);
}
