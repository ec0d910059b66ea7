/** NOTIFICATION (RFC 4271 4.5) and the shutdown communication inside it (RFC 9003). */
import { CeaseSubcode, ErrorCode, errorName, HEADER_LENGTH, MAX_MESSAGE_LENGTH, MessageType } from "./codes.ts";
import { frame } from "./framer.ts";
import { concat } from "./octets.ts";

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

const MOST_DATA = MAX_MESSAGE_LENGTH - HEADER_LENGTH - 2;

/** The body holds at least two octets: the framer saw to that. */
export function decodeNotification(body: Uint8Array): Notification {
  return { code: body[0] as number, subcode: body[1] as number, data: body.slice(2) };
}

/** The data is cut where the message would be longer than everybody takes (RFC 4271 4.1): they may quote a long one. */
export function encodeNotification({ code, subcode, data }: Notification): Uint8Array {
  const head = Uint8Array.of(code, subcode);
  return frame(MessageType.Notification, concat([head, data.subarray(0, MOST_DATA)]));
}

/** Data of an administrative shutdown or reset: one length octet, then UTF-8 of at most 255 octets (RFC 9003 2). */
export function encodeShutdownMessage(text: string): Uint8Array {
  const utf8 = new TextEncoder().encode(text);
  let end = Math.min(utf8.length, 255);
  // Not in the middle of a character: continuation octets are 10xxxxxx.
  while (end < utf8.length && end > 0 && ((utf8[end] as number) & 0xc0) === 0x80) end--;
  return concat([Uint8Array.of(end), utf8.subarray(0, end)]);
}

/** RFC 8538 3.1: the notification inside a Hard Reset, which ends graceful restart too. */
export function hardReset({ code, subcode, data }: Notification): Notification {
  const inside = concat([Uint8Array.of(code, subcode), data]);
  return { code: ErrorCode.Cease, subcode: CeaseSubcode.HardReset, data: inside };
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset;
}

/** `Cease/Administrative Shutdown: "maintenance until 22:00"` for the operator. */
export function describeNotification(notification: Notification): string {
  const { code, subcode, data } = notification;
  const name = errorName(code, subcode);
  if (isHardReset(notification) && data.length >= 2) {
    const inside = { code: data[0] as number, subcode: data[1] as number, data: data.slice(2) };
    return `${name} (${isHardReset(inside) ? errorName(inside.code, inside.subcode) : describeNotification(inside)})`;
  }
  const text = shutdownText(notification);
  return text === "" ? name : `${name}: ${JSON.stringify(text)}`;
}

/** What the peer's operator said, safe to print: control characters and broken UTF-8 are replaced (RFC 9003 5). */
function shutdownText({ code, subcode, data }: Notification): string {
  const carriesText =
    code === ErrorCode.Cease &&
    (subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset);
  const length = data[0];
  if (!carriesText || length === undefined || length === 0 || length > data.length - 1) return "";
  const text = new TextDecoder().decode(data.subarray(1, 1 + length));
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
