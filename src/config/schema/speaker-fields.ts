/** The kinds of value that a speaker's file has beside those of the resources. */
import { z } from "zod";
import { formatAddress, isLinkLocal, isUnspecified, parseAddress } from "../../../ipam/net/address.ts";
import { readCidr } from "../../../ipam/net/cidr.ts";
import { parseDuration } from "../duration.ts";
import { readPeerAddress } from "../peer-address.ts";
import { hostAddressFault, text } from "./fields.ts";
import { shown } from "./problem.ts";

/** A time as a number of seconds or a duration such as `2m0s`, within limits in seconds. Comes out as seconds. */
export function seconds(min: number, max: number) {
  return z
    .custom<number | string>((value) => within(secondsIn(value), min, max), {
      error: (issue) =>
        `${shown(issue.input)} is not a time: whole seconds from ${min} to ${max}, or a duration such as 120s`,
    })
    .transform((value) => secondsIn(value) as number);
}

/** Seconds: 0 for none, or at least 3 (RFC 4271 4.2). Comes out as seconds. */
export const holdSeconds = z
  .custom<number | string>(
    (value) => {
      const amount = secondsIn(value);
      return amount === 0 || within(amount, 3, 65535);
    },
    { error: (issue) => `${shown(issue.input)} is not a hold time: 0 (none), or 3 to 65535 seconds` },
  )
  .transform((value) => secondsIn(value) as number);

function secondsIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return undefined;
  const ms = parseDuration(value);
  return ms === undefined ? undefined : ms / 1000;
}

function within(value: number | undefined, min: number, max: number): boolean {
  return value !== undefined && Number.isInteger(value) && value >= min && value <= max;
}

const INTERFACE = /^[^\s/:%]{1,15}$/;

/** As Linux names one. */
export const interfaceName = text((value) =>
  INTERFACE.test(value) && value !== "." && value !== ".."
    ? undefined
    : `${shown(value)} is not the name of an interface: at most 15 characters, no space, "/", ":" or "%"`,
);

/** What keeps text from being a host's address, `fe80::1%eth0` for one on a link. */
export function hostAddressFaultOf(value: string): string | undefined {
  return scopedAddressFault(value) ?? zoneFault(value);
}

/** A host's address, or a range of them in CIDR notation. */
export const peerAddress = text((value) => {
  if (value.includes("/")) {
    const range = readCidr(value);
    return "error" in range ? `${shown(value)} ${range.error}` : undefined;
  }
  const split = readPeerAddress(value);
  if (split?.port !== undefined) {
    return `${shown(value)} holds a port; write address: ${JSON.stringify(split.address)} and port: ${split.port}`;
  }
  return hostAddressFaultOf(value);
});

/** An address to listen on: a host's, or 0.0.0.0 or :: for every one of the family. */
export const listenAddress = text((value) => {
  const address = parseAddress(value);
  return address !== undefined && isUnspecified(address) ? undefined : hostAddressFaultOf(value);
});

/** Four octets that are written like an IPv4 address; not 0.0.0.0 (RFC 6286 2.1). */
export const identifier = text((value) => {
  const address = parseAddress(value);
  if (address?.length === 4 && !isUnspecified(address)) return undefined;
  return `${shown(value)} is not an identifier: four octets written like an IPv4 address, such as 192.0.2.1`;
});

function scopedAddressFault(value: string): string | undefined {
  const [plain, zone] = value.split("%", 2) as [string, string | undefined];
  const address = parseAddress(plain);
  // The interface may also stand in a field of its own.
  if (address?.length === 16 && isLinkLocal(address)) return undefined;
  if (zone !== undefined && address !== undefined) {
    return `${shown(value)}: only a link-local address has an interface; write ${formatAddress(address)}`;
  }
  return hostAddressFault(value);
}

function zoneFault(value: string): string | undefined {
  const at = value.indexOf("%");
  if (at < 0 || INTERFACE.test(value.slice(at + 1))) return undefined;
  return `${shown(value)} does not name an interface after "%"`;
}
