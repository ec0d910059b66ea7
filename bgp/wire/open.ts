/** OPEN (RFC 4271 4.2, checks of 6.2; extended optional parameters of RFC 9072). */
import { type Address } from "../../ipam/net/address.ts";
import { type Capabilities, decodeCapabilities, encodeCapabilities, NO_CAPABILITIES } from "./capability.ts";
import { AS_TRANS, ErrorCode, MessageType } from "./codes.ts";
import { type Fault, resetFault } from "./fault.ts";
import { frame } from "./framer.ts";
import { concat, octetsOfU16, u16 } from "./octets.ts";

export interface Open {
  /** The real AS number: from the four-octet capability where there is one. */
  readonly asNumber: number;
  /** Seconds; 0 means that no KEEPALIVEs are wanted. */
  readonly holdTime: number;
  /** Four octets. */
  readonly bgpIdentifier: Address;
  readonly capabilities: Capabilities;
}

const VERSION = 4;
const PARAMETER_CAPABILITIES = 2;
const EXTENDED = 255;

export function decodeOpen(body: Uint8Array): Open | Fault {
  const version = body[0] as number;
  if (version !== VERSION) {
    return resetFault(ErrorCode.Open, 1, `BGP version ${version} is not supported`, octetsOfU16(VERSION));
  }
  const holdTime = u16(body, 3);
  if (holdTime === 1 || holdTime === 2) {
    return resetFault(ErrorCode.Open, 6, `hold time ${holdTime} s is not acceptable`, octetsOfU16(holdTime));
  }
  const bgpIdentifier = body.slice(5, 9);
  if (bgpIdentifier.every((octet) => octet === 0)) {
    return resetFault(ErrorCode.Open, 3, "BGP Identifier 0.0.0.0", bgpIdentifier);
  }
  const capabilities = decodeParameters(body);
  if ("action" in capabilities) return capabilities;
  const myAs = u16(body, 1);
  const asNumber = capabilities.fourOctetAs ?? myAs;
  // RFC 7607 2. Where the two differ otherwise, the capability counts (RFC 6793 4.1).
  if (myAs === 0 || asNumber === 0) return resetFault(ErrorCode.Open, 2, "AS number 0");
  return { asNumber, holdTime, bgpIdentifier, capabilities };
}

function decodeParameters(body: Uint8Array): Capabilities | Fault {
  const malformed = (text: string) => resetFault(ErrorCode.Open, 0, text);
  let at = 10;
  let end = at + (body[9] as number);
  let lengthOctets = 1;
  // RFC 9072 2: type 255 first says that lengths are two octets, whatever the length octet before it says, unless 0.
  if (body[9] !== 0 && body[10] === EXTENDED) {
    if (body.length < 13) return malformed("extended optional parameters without their length");
    end = 13 + u16(body, 11);
    at = 13;
    lengthOctets = 2;
  }
  if (end !== body.length) return malformed(`optional parameters of ${end - at} octets do not fill the message`);
  let capabilities = NO_CAPABILITIES;
  while (at < end) {
    if (at + 1 + lengthOctets > end) return malformed("an optional parameter is cut off");
    const type = body[at] as number;
    const length = lengthOctets === 1 ? (body[at + 1] as number) : u16(body, at + 1);
    const start = at + 1 + lengthOctets;
    at = start + length;
    if (at > end) return malformed(`optional parameter ${type} overruns the message`);
    if (type !== PARAMETER_CAPABILITIES) {
      return resetFault(ErrorCode.Open, 4, `optional parameter ${type} is not supported`);
    }
    const decoded = decodeCapabilities(body.subarray(start, at), capabilities);
    if (decoded === undefined) return malformed("a capability overruns its parameter");
    capabilities = decoded;
  }
  return capabilities;
}

export function encodeOpen(open: Open): Uint8Array {
  return frame(
    MessageType.Open,
    concat([
      Uint8Array.of(VERSION),
      octetsOfU16(open.asNumber > 0xffff ? AS_TRANS : open.asNumber),
      octetsOfU16(open.holdTime),
      open.bgpIdentifier,
      encodeParameters(encodeCapabilities(open.capabilities)),
    ]),
  );
}

/** All in one parameter; in the form of RFC 9072 where one octet is too short for the length. */
function encodeParameters(capabilities: Uint8Array): Uint8Array {
  const { length } = capabilities;
  if (length === 0) return Uint8Array.of(0);
  if (length <= 253) return concat([Uint8Array.of(length + 2, PARAMETER_CAPABILITIES, length), capabilities]);
  return concat([
    Uint8Array.of(EXTENDED, EXTENDED),
    octetsOfU16(length + 3),
    Uint8Array.of(PARAMETER_CAPABILITIES),
    octetsOfU16(length),
    capabilities,
  ]);
}
