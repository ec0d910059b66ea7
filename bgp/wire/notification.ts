/** NOTIFICATION (RFC 4271 4.5) and the shutdown communication inside it (RFC 9003). */
import { CeaseSubcode, ErrorCode, errorName, MessageType } from "./codes.ts";
import { frame } from "./framer.ts";
import { concat } from "./octets.ts";

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** The body holds at least two octets: the framer saw to that. */
export function decodeNotification(body: Uint8Array): Notification {
  return { code: body[0] as number, subcode: body[1] as number, data: body.slice(2) };
}

export function encodeNotification(notification: Notification): Uint8Array {
  const head = Uint8Array.of(notification.code, notification.subcode);
  return frame(MessageType.Notification, concat([head, notification.data]));
}

/** Data of an administrative shutdown or reset: one length octet, then UTF-8 of at most 255 octets (RFC 9003 2). */
export function encodeShutdownMessage(text: string): Uint8Array {
  const utf8 = new TextEncoder().encode(text);
  let end = Math.min(utf8.length, 255);
  // Not in the middle of a character: continuation octets are 10xxxxxx.
  while (end < utf8.length && end > 0 && ((utf8[end] as number) & 0xc0) === 0x80) end--;
  return concat([Uint8Array.of(end), utf8.subarray(0, end)]);
}

/** `Cease/Administrative Shutdown: "maintenance until 22:00"` for the operator. */
export function describeNotification(notification: Notification): string {
  const name = errorName(notification.code, notification.subcode);
  const text = shutdownText(notification);
  return text === "" ? name : `${name}: ${JSON.stringify(text)}`;
}

function shutdownText({ code, subcode, data }: Notification): string {
  const carriesText =
    code === ErrorCode.Cease &&
    (subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset);
  const length = data[0];
  if (!carriesText || length === undefined || length === 0 || length > data.length - 1) return "";
  return new TextDecoder().decode(data.subarray(1, 1 + length));
}
