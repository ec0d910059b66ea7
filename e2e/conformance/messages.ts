/** Whole messages: header (RFC 4271 4.1), OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH. */
import { cat, ip, type Octets, u8, u16, u32 } from "./octets.ts";

export const Type = { open: 1, update: 2, notification: 3, keepalive: 4, refresh: 5 } as const;

export interface HeaderLies {
  readonly length?: number;
  readonly marker?: Octets;
}

export function message(type: number, body: Octets, lies: HeaderLies = {}): Octets {
  const marker = lies.marker ?? new Uint8Array(16).fill(0xff);
  return cat(marker, u16(lies.length ?? 19 + body.length), u8(type), body);
}

export const keepalive = (): Octets => message(Type.keepalive, cat());
export const notification = (code: number, subcode: number, data: Octets = cat()): Octets =>
  message(Type.notification, cat([code, subcode], data));

/** RFC 2918 3; the subtype is RFC 7313's: 0 a request, 1 begins, 2 ends. */
export const refresh = (afi: number, safi = 1, subtype = 0, more: Octets = cat()): Octets =>
  message(Type.refresh, cat(u16(afi), [subtype, safi], more));

export interface UpdateParts {
  readonly withdrawn?: readonly Octets[];
  readonly attributes?: readonly Octets[];
  readonly nlri?: readonly Octets[];
  /** In place of the true ones. */
  readonly withdrawnLength?: number;
  readonly attributesLength?: number;
}

export function update(parts: UpdateParts): Octets {
  const withdrawn = cat(...(parts.withdrawn ?? []));
  const attributes = cat(...(parts.attributes ?? []));
  const body = cat(
    u16(parts.withdrawnLength ?? withdrawn.length),
    withdrawn,
    u16(parts.attributesLength ?? attributes.length),
    attributes,
    ...(parts.nlri ?? []),
  );
  return message(Type.update, body);
}

export interface OpenParts {
  readonly asNumber: number;
  readonly identifier: string;
  readonly version?: number;
  readonly holdTime?: number;
  /** Each one capability; they share one optional parameter. */
  readonly capabilities?: readonly Octets[];
  /** In place of the parameter that holds the capabilities. */
  readonly parameters?: Octets;
  readonly parametersLength?: number;
}

export function open(parts: OpenParts): Octets {
  const capabilities = cat(...(parts.capabilities ?? []));
  const parameters = parts.parameters ?? (capabilities.length === 0 ? cat() : parameter(2, capabilities));
  const body = cat(
    u8(parts.version ?? 4),
    u16(parts.asNumber > 0xffff ? 23456 : parts.asNumber),
    u16(parts.holdTime ?? 240),
    ip(parts.identifier),
    u8(parts.parametersLength ?? parameters.length),
    parameters,
  );
  return message(Type.open, body);
}

export const parameter = (type: number, value: Octets): Octets => cat([type, value.length], value);
/** The form of RFC 9072: a two-octet length. */
export const longParameter = (type: number, value: Octets): Octets => cat(u8(type), u16(value.length), value);

export const capability = (code: number, value: Octets | readonly number[] = []): Octets =>
  cat([code, value.length], value);

export const multiprotocol = (afi: number, safi = 1): Octets => capability(1, cat(u16(afi), [0, safi]));
export const routeRefresh = (): Octets => capability(2);
/** RFC 8950: families whose next hop may be of another kind. */
export const extendedNextHop = (...triples: readonly (readonly [number, number, number])[]): Octets =>
  capability(5, cat(...triples.map((numbers) => cat(...numbers.map(u16)))));
export const extendedMessage = (): Octets => capability(6);
/** RFC 9234 4.1: 0 provider, 1 route server, 2 its client, 3 customer, 4 peer. */
export const role = (value: number): Octets => capability(9, [value]);
/** RFC 4724 3: flags R and N in the upper four bits; each family with its F bit. */
export const gracefulRestart = (flags: number, seconds: number, ...families: readonly (readonly number[])[]): Octets =>
  capability(64, cat(u16((flags << 12) | seconds), ...families.map(([afi = 1, f = 0]) => cat(u16(afi), [1, f]))));
export const fourOctetAs = (asNumber: number): Octets => capability(65, u32(asNumber));
/** RFC 7911 4: 1 receive, 2 send, 3 both. */
export const addPath = (...families: readonly (readonly [number, number])[]): Octets =>
  capability(69, cat(...families.map(([afi, mode]) => cat(u16(afi), [1, mode]))));
export const enhancedRefresh = (): Octets => capability(70);
