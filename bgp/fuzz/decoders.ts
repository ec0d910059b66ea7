/** Every decoder on one stream of octets: none may throw, and what is let pass must be what is kept. */
import { checkAttributes, readAttributes } from "../wire/attributes.ts";
import { MessageType } from "../wire/codes.ts";
import { encodeCanonical } from "../wire/encode-attributes.ts";
import { isFault } from "../wire/fault.ts";
import { Framer, type RawMessage } from "../wire/framer.ts";
import { prefixesIn } from "../wire/nlri.ts";
import { decodeNotification, describeNotification } from "../wire/notification.ts";
import { sameOctets } from "../wire/octets.ts";
import { decodeOpen } from "../wire/open.ts";
import { CANONICAL } from "../wire/path-attributes.ts";
import { decodeRouteRefresh } from "../wire/route-refresh.ts";
import { type UpdateContext, UpdateReader } from "../wire/update.ts";

const READER = new UpdateReader();

export function decodeAll(stream: Uint8Array, random: () => number): void {
  const framer = new Framer();
  if (random() < 0.5) framer.maxLength = 65_535;
  const cut = Math.floor(random() * stream.length);
  for (const chunk of [stream.slice(0, cut), stream.slice(cut)]) {
    framer.push(chunk);
    for (let message = framer.next(); message !== undefined; message = framer.next()) {
      if (isFault(message)) return;
      decode(message, random);
    }
  }
}

function decode({ type, body }: RawMessage, random: () => number): void {
  if (type === MessageType.Open) decodeOpen(body);
  else if (type === MessageType.Notification) describeNotification(decodeNotification(body));
  else if (type === MessageType.RouteRefresh) decodeRouteRefresh(body, random() < 0.5);
  else if (type === MessageType.Update) {
    const addPathReceive = random() < 0.5 ? [] : ([4, 6] as const);
    readUpdate(body, { addPathReceive, extendedNextHop: random() < 0.5 }, random);
  }
}

function readUpdate(body: Uint8Array, context: UpdateContext, random: () => number): void {
  const reader = READER;
  if (reader.read(body, context) !== undefined) return;
  for (const { octets, start, end, family, addPath } of [
    reader.withdrawn,
    reader.announced,
    reader.unreach,
    reader.reach,
  ]) {
    if (end > start) prefixesIn(octets, start, end, family, addPath);
  }
  const asOctets = random() < 0.5 ? 2 : 4;
  const { attributes, attributesStart: start, attributesEnd: end } = reader;
  const checked = checkAttributes(attributes, start, end, { asOctets, external: random() < 0.5, multiprotocol: false });
  if (isFault(checked)) return;
  const kept = checked.canonical ?? attributes.slice(start, end);
  const again = checkAttributes(kept, 0, kept.length, CANONICAL);
  if (isFault(again)) throw new Error(`what is kept has a fault itself: ${again.text}`);
  if (again.canonical !== undefined) throw new Error("what is kept is not in the form in which sets are kept");
  const written = encodeCanonical(readAttributes(kept));
  const reread = encodeCanonical(readAttributes(written));
  if (!sameOctets(written, reread)) throw new Error("reading and writing attributes changes them");
}
