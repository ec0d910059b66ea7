/** The kinds of value that resources are made of, each with the words for what is wrong with it. */
import { z } from "zod";
import { formatAddress, isLinkLocal, isMulticast, isUnspecified, parseAddress } from "../../../ipam/net/address.ts";
import { readCidr } from "../../../ipam/net/cidr.ts";
import { parseAddressWithLength } from "../../../ipam/net/prefix.ts";
import { parseSelector } from "../../../ipam/selector.ts";
import { parseDuration } from "../duration.ts";
import { shown } from "./problem.ts";

/**
 * What the API server can be told of a check by itself, in the words of a custom resource definition: `pattern`,
 * `maxLength`, or a rule in CEL. It may let pass more than the check does, never less.
 */
type Twin = Readonly<Record<string, unknown>>;

/** Text that passes a check; the check answers with a phrase when it does not. */
export function text(check: (value: string) => string | undefined, twin: Twin = {}) {
  return z
    .string()
    .superRefine((value, context) => {
      const fault = check(value);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault, input: value });
    })
    .meta(twin);
}

/** A whole number within limits, both included. */
export function whole(min: number, max: number) {
  return z
    .custom<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, {
      error: (issue) =>
        issue.input === undefined
          ? "is required"
          : `${shown(issue.input)} is not a whole number from ${min} to ${max}${numberHint(issue.input)}`,
    })
    .meta({ type: "integer", minimum: min, maximum: max });
}

function numberHint(value: unknown): string {
  return typeof value === "string" && /^\d+$/.test(value) ? "; write it without quotes" : "";
}

const MAX_AS = 0xffffffff;

/** A 4-octet AS number as an integer, or as text: `65001` or dotted `1.10` (RFC 5396). Comes out as an integer. */
export const asNumber = z
  .custom<number | string>((value) => readASNumber(value) !== undefined, {
    error: (issue) => (issue.input === undefined ? "is required" : asNumberFault(issue.input)),
  })
  .meta({
    "x-kubernetes-int-or-string": true,
    minimum: 1,
    maximum: MAX_AS,
    pattern: "^([0-9]{1,10}|[0-9]{1,5}\\.[0-9]{1,5})$",
    maxLength: 11,
  })
  .transform((value) => readASNumber(value) as number);

function readASNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isInteger(value) && value >= 1 && value <= MAX_AS ? value : undefined;
  if (typeof value !== "string") return undefined;
  const dotted = /^(\d{1,5})\.(\d{1,5})$/.exec(value);
  if (dotted === null) return /^\d{1,10}$/.test(value) ? readASNumber(Number(value)) : undefined;
  const [high, low] = [Number(dotted[1]), Number(dotted[2])];
  return high > 0xffff || low > 0xffff ? undefined : readASNumber(high * 0x10000 + low);
}

function asNumberFault(value: unknown): string {
  if (typeof value === "number" && !Number.isInteger(value)) {
    return `${value} is read as a decimal number; write a dotted AS number in quotes, such as "65000.10"`;
  }
  return `${shown(value)} is not an AS number: 1 to ${MAX_AS}, or dotted "high.low" with halves up to 65535`;
}

/** What keeps text from being an address that a host can have. */
export function hostAddressFault(value: string): string | undefined {
  if (value.includes("%")) return `${shown(value)} names an interface; link-local addresses are not supported yet`;
  const address = parseAddress(value);
  if (address === undefined) {
    const cure = value.includes("/") ? "; remove the length" : "";
    return `${shown(value)} is not an IP address such as 192.0.2.1 or 2001:db8::1${cure}`;
  }
  const plain = formatAddress(address);
  if (plain.startsWith("::ffff:") && plain.includes("."))
    return `${shown(value)} is IPv4 within IPv6; write ${plain.slice(7)}`;
  if (isUnspecified(address) || isMulticast(address)) return `${shown(value)} is not the address of a host`;
  if (address.length === 16 && isLinkLocal(address)) {
    return `${shown(value)} is link-local, which says nothing without an interface; use a routed address`;
  }
  return undefined;
}

/** Text of an address of one family with its prefix length: `10.10.1.11/24`. The length is optional, as in Calico. */
export const nodeAddress = (family: 4 | 6) => text((value) => nodeAddressFault(value, family));

export function nodeAddressFault(value: string, family: 4 | 6): string | undefined {
  const address = parseAddressWithLength(value)?.address ?? parseAddress(value);
  const example = family === 4 ? "10.10.1.11/24" : "fd00:10:1::11/64";
  if (address === undefined) return `${shown(value)} is not an address with its prefix length such as ${example}`;
  if (address.length !== (family === 4 ? 4 : 16)) {
    return `${shown(value)} is not an IPv${family} address; expected one such as ${example}`;
  }
  return hostAddressFault(value.split("/")[0] as string);
}

/** Four octets that are written like an IPv4 address. */
export const clusterID = text((value) => {
  const octets = parseAddress(value);
  if (octets?.length === 4 && !isUnspecified(octets)) return undefined;
  return `${shown(value)} is not a cluster ID: four octets written like an IPv4 address, such as 224.0.0.1`;
});

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
/** Prefix lengths, as patterns: those there are, and those but 0. */
const ANY_LENGTH = ["3[0-2]|[12]?[0-9]", "12[0-8]|1[01][0-9]|[1-9]?[0-9]"] as const;
const SOME_LENGTH = ["3[0-2]|[12][0-9]|[1-9]", "12[0-8]|1[01][0-9]|[1-9][0-9]?"] as const;

function cidrTwin([lengthsV4, lengthsV6]: readonly [string, string]): Twin {
  const v4 = `${OCTET}(\\.${OCTET}){3}/(${lengthsV4})`;
  return { pattern: `^(${v4}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+/(${lengthsV6}))$`, maxLength: 49 };
}

function cidrFault(value: string): string | undefined {
  const result = readCidr(value);
  return "error" in result ? `${shown(value)} ${result.error}` : undefined;
}

export const cidr = text(cidrFault, cidrTwin(ANY_LENGTH));

/** A range of services' addresses: every node announces it. */
export const serviceRange = text((value) => {
  const fault = cidrFault(value);
  if (fault !== undefined || !value.endsWith("/0")) return fault;
  return `${shown(value)} would make every node announce a default route; name the range itself`;
}, cidrTwin(SOME_LENGTH));

/** An expression over labels in Calico's language. */
export const selector = text(
  (value) => {
    if (value.length > 1024) return `is ${value.length} characters long; at most 1024 are allowed`;
    const result = parseSelector(value);
    return "error" in result
      ? `${shown(value)} is not a selector: ${result.error} (at character ${result.at + 1})`
      : undefined;
  },
  { maxLength: 1024 },
);

/** Text such as `120s` within limits given in whole seconds. */
export function duration(minSeconds: number, maxSeconds: number) {
  return text(
    (value) => {
      const ms = parseDuration(value);
      if (ms === undefined) return `${shown(value)} is not a duration such as 120s or 2m0s`;
      if (ms % 1000 !== 0) return `${shown(value)} is not in whole seconds, which is all BGP can carry`;
      if (ms < minSeconds * 1000 || ms > maxSeconds * 1000) {
        return `${shown(value)} is out of range; from ${minSeconds}s to ${maxSeconds}s is allowed`;
      }
      return undefined;
    },
    durationTwin(minSeconds, maxSeconds),
  );
}

const DURATION = "^(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|ms|m|s|us|µs|ns))+)$";
/** In CEL, of text that is a duration: it has no part of a second. */
const WHOLE_SECONDS = "duration(self) == duration(string(duration(self).getSeconds()) + 's')";

function durationTwin(minSeconds: number, maxSeconds: number): Twin {
  const limits = `duration(self) >= duration('${minSeconds}s') && duration(self) <= duration('${maxSeconds}s')`;
  const message = `is not a duration in whole seconds from ${minSeconds}s to ${maxSeconds}s, such as 120s or 2m0s`;
  const rule = `${limits} && ${WHOLE_SECONDS}`;
  return { pattern: DURATION, maxLength: 32, "x-kubernetes-validations": [{ rule, message }] };
}

export const port = whole(1, 65535);
const seconds = whole(1, 65535);

/** Seconds as a number, or a duration. RFC 4271 4.2: the hold time is 0 (no timer) or at least 3 seconds. */
export const holdTime = z
  .custom<number | string>(
    (value) => {
      const amount = typeof value === "string" ? (parseDuration(value) ?? -1) / 1000 : value;
      return Number.isInteger(amount) && (amount === 0 || ((amount as number) >= 3 && (amount as number) <= 65535));
    },
    { error: (issue) => `${shown(issue.input)} is not a hold time: 0 (none), or 3 to 65535 seconds` },
  )
  .meta(holdTimeTwin());

function holdTimeTwin(): Twin {
  const seconds = "self == 0 || (self >= 3 && self <= 65535)";
  const range = "duration(self) >= duration('3s') && duration(self) <= duration('65535s')";
  const inWords = `(duration(self) == duration('0s') || (${range})) && ${WHOLE_SECONDS}`;
  const rule = `type(self) == int ? (${seconds}) : (${inWords})`;
  return {
    "x-kubernetes-int-or-string": true,
    pattern: DURATION,
    maxLength: 32,
    "x-kubernetes-validations": [{ rule, message: "is not a hold time: 0 (none), or 3 to 65535 seconds" }],
  };
}

/** Seconds between attempts to connect, as a number or a duration. */
export const connectRetryTime = z.union([seconds, duration(1, 65535)], {
  error: (issue) => `${shown(issue.input)} is not a number of seconds from 1 to 65535`,
});

/** Whole seconds as a number, or a duration such as `2m0s`, within limits. */
export function secondsOrDuration(min: number, max: number) {
  return z.union([whole(min, max), duration(min, max)], {
    error: (issue) => `${shown(issue.input)} is not a time from ${min} to ${max} seconds, such as 300 or 5m`,
  });
}

/** What keeps text from being a standard (RFC 1997) or a large community (RFC 8092). */
export function communityFault(value: string): string | undefined {
  const parts = value.split(":");
  const limit = parts.length === 2 ? 0xffff : 0xffffffff;
  const wellFormed = (parts.length === 2 || parts.length === 3) && parts.every((part) => /^\d{1,10}$/.test(part));
  if (wellFormed && parts.every((part) => Number(part) <= limit)) return undefined;
  const over = wellFormed ? `; each of ${parts.length} parts is at most ${limit}` : "";
  return `${shown(value)} is not a community such as 65000:100, nor a large one such as 65000:100:7${over}`;
}

/** Text of a standard or a large community. */
export const community = text(communityFault, { pattern: "^[0-9]{1,10}(:[0-9]{1,10}){1,2}$", maxLength: 32 });

/** DNS-1123 subdomain: what every resource's and node's name is. */
export const name = text(
  (value) => {
    if (value.length > 253) return `is ${value.length} characters long; at most 253 are allowed`;
    if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(value)) return undefined;
    const wanted = 'lower-case letters, digits, "-" and ".", starting and ending with a letter or digit';
    return `${shown(value)} is not a name: ${wanted}`;
  },
  { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", maxLength: 253 },
);

/**
 * A field of Calico's that Overland does not honour: refused with what it would take, unless it says what would be so
 * without it (`harmless`), as documents written for Calico often do.
 */
export function notYet(need: string, ...harmless: readonly unknown[]) {
  return z
    .unknown()
    .superRefine((value, context) => {
      if (harmless.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))) return;
      const only = harmless.map((allowed) => JSON.stringify(allowed)).join(" or ");
      const cure = only === "" ? "remove it" : `remove it or set it to ${only}`;
      context.addIssue({ code: "custom", message: `not supported by Overland yet (${need}); ${cure}`, input: value });
    })
    .meta(notYetTwin(harmless))
    .exactOptional();
}

/** What is refused altogether is let through, to be refused in words: a field that no schema has is lost on the way. */
function notYetTwin(harmless: readonly unknown[]): Twin {
  const [first] = harmless;
  if (typeof first === "string") return { type: "string", enum: harmless, maxLength: 64 };
  if (typeof first === "boolean") return { type: "boolean", enum: harmless };
  if (typeof first === "number") return { type: "integer", enum: harmless };
  if (Array.isArray(first)) return { type: "array", maxItems: 0, items: { type: "string" } };
  return { "x-kubernetes-preserve-unknown-fields": true };
}
