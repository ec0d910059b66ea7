/** One BGP message as plain values and as a line of text, for an operator who watches a session. */
import { type Family, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { checkAttributes, readAttributes } from "../wire/attributes.ts";
import { familyOfAfi } from "../wire/capability.ts";
import { HEADER_LENGTH, MessageType } from "../wire/codes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { prefixesIn } from "../wire/nlri.ts";
import { decodeNotification, describeNotification } from "../wire/notification.ts";
import { u16 } from "../wire/octets.ts";
import { decodeOpen } from "../wire/open.ts";
import { type NlriRun, UpdateReader } from "../wire/update.ts";
import { type AttributesView, attributesText, viewAttributes } from "./attributes.ts";
import { viewCapabilities } from "./capabilities.ts";
import { FAMILY_NAME } from "./names.ts";

/** What the session agreed on, as far as it says how an UPDATE is read. */
export interface MessageContext {
  readonly asOctets: 2 | 4;
  readonly external: boolean;
  /** Families whose NLRI carry path identifiers in this direction. */
  readonly addPath: readonly Family[];
  readonly extendedNextHop: boolean;
}

/** Before the session is up there are no UPDATEs; one that comes all the same is read as a plain one. */
export const NO_SESSION: MessageContext = { asOctets: 4, external: true, addPath: [], extendedNextHop: false };

export interface MessageView {
  readonly type: string;
  /** Octets, header included. */
  readonly length: number;
  /** Of an OPEN. */
  readonly open?: {
    readonly asNumber: number;
    readonly holdTime: number;
    readonly routerID: string;
    readonly capabilities: readonly string[];
  };
  /** Of a NOTIFICATION, in words. */
  readonly notification?: string;
  /** Of a ROUTE-REFRESH: `request ipv4-unicast`. */
  readonly refresh?: string;
  readonly withdrawn?: readonly string[];
  readonly announced?: readonly string[];
  readonly attributes?: AttributesView;
  readonly endOfRIB?: string;
  /** What is wrong with it, and what RFC 7606 says to do. */
  readonly faults?: readonly string[];
}

const TYPES = ["", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"] as const;
const REFRESH = ["request", "begin", "end"] as const;

/** `octets`: a whole message with its header. */
export function viewMessage(octets: Uint8Array, context: MessageContext): MessageView {
  const type = octets[HEADER_LENGTH - 1] as number;
  const body = octets.subarray(HEADER_LENGTH);
  return { type: TYPES[type] ?? `type ${type}`, length: octets.length, ...viewBody(type, body, context) };
}

function viewBody(type: number, body: Uint8Array, context: MessageContext): Partial<MessageView> {
  switch (type) {
    case MessageType.Open:
      return body.length < 10 ? tooShort(body) : viewOpen(body);
    case MessageType.Update:
      return body.length < 4 ? tooShort(body) : viewUpdate(body, context);
    case MessageType.Notification:
      return body.length < 2 ? tooShort(body) : { notification: describeNotification(decodeNotification(body)) };
    case MessageType.RouteRefresh:
      return body.length < 4 ? tooShort(body) : { refresh: refreshText(body) };
    default:
      return {};
  }
}

function tooShort(body: Uint8Array): Partial<MessageView> {
  return { faults: [`a body of ${body.length} octets is too short`] };
}

function viewOpen(body: Uint8Array): Partial<MessageView> {
  const open = decodeOpen(body);
  if (isFault(open)) return { faults: [faultText(open)] };
  const { asNumber, holdTime, bgpIdentifier, capabilities } = open;
  const routerID = formatAddress(bgpIdentifier);
  return { open: { asNumber, holdTime, routerID, capabilities: viewCapabilities(capabilities) } };
}

function refreshText(body: Uint8Array): string {
  const family = familyOfAfi(u16(body, 0), body[3] as number);
  const kind = REFRESH[body[2] as number] ?? `subtype ${body[2]}`;
  return `${kind} ${family === undefined ? `AFI ${u16(body, 0)} SAFI ${body[3]}` : FAMILY_NAME[family]}`;
}

function viewUpdate(body: Uint8Array, context: MessageContext): Partial<MessageView> {
  const reader = new UpdateReader();
  const { addPath, extendedNextHop, asOctets, external } = context;
  const fault = reader.read(body, { addPathReceive: addPath, extendedNextHop });
  if (fault !== undefined) return { faults: [faultText(fault)] };
  const withdrawn = [...prefixTexts(reader.withdrawn), ...prefixTexts(reader.unreach)];
  const announced = [...prefixTexts(reader.announced), ...prefixTexts(reader.reach)];
  const checked = checkAttributes(reader.attributes, reader.attributesStart, reader.attributesEnd, {
    asOctets,
    external,
    multiprotocol: false,
  });
  const faults = [...reader.discarded, ...(reader.withdraw === undefined ? [] : [reader.withdraw])];
  if (isFault(checked)) faults.push(checked);
  else faults.push(...checked.discarded);
  const hasAttributes = !isFault(checked) && reader.attributesEnd > reader.attributesStart;
  return {
    ...(reader.endOfRib !== undefined && { endOfRIB: FAMILY_NAME[reader.endOfRib] }),
    ...(withdrawn.length > 0 && { withdrawn }),
    ...(announced.length > 0 && { announced }),
    ...(hasAttributes && { attributes: attributesOf(reader, body, checked.canonical) }),
    ...(faults.length > 0 && { faults: faults.map(faultText) }),
  };
}

function attributesOf(reader: UpdateReader, body: Uint8Array, canonical: Uint8Array | undefined): AttributesView {
  const own = canonical ?? reader.attributes.slice(reader.attributesStart, reader.attributesEnd);
  const attributes = readAttributes(own);
  if (reader.nextHopLength === 0 || reader.reach.end === reader.reach.start) return viewAttributes(attributes);
  const hops = body.slice(reader.nextHopAt, reader.nextHopAt + reader.nextHopLength);
  return viewAttributes({
    ...attributes,
    nextHop: hops.slice(0, hops.length === 4 ? 4 : 16),
    ...(hops.length === 32 && { linkLocalNextHop: hops.slice(16) }),
  });
}

function prefixTexts(run: NlriRun): string[] {
  return prefixesIn(run.octets, run.start, run.end, run.family, run.addPath).map(({ prefix, pathId }) =>
    run.addPath ? `${formatPrefix(prefix)} path ${pathId}` : formatPrefix(prefix),
  );
}

const REMEDY = { reset: "session reset", withdraw: "treat as withdraw", discard: "attribute discarded" } as const;

function faultText({ action, text }: Fault): string {
  return `${text} (${REMEDY[action]})`;
}

/** `UPDATE 58: announce 10.1.0.0/24 10.1.1.0/24 (igp, path 65001, next hop 192.0.2.1)`. */
export function messageText(view: MessageView): string {
  const parts: string[] = [];
  if (view.open !== undefined) {
    const { asNumber, holdTime, routerID, capabilities } = view.open;
    parts.push(`AS ${asNumber}, hold time ${holdTime}, router ID ${routerID}, ${capabilities.join(", ")}`);
  }
  if (view.notification !== undefined) parts.push(view.notification);
  if (view.refresh !== undefined) parts.push(view.refresh);
  if (view.endOfRIB !== undefined) parts.push(`end-of-RIB ${view.endOfRIB}`);
  if (view.withdrawn !== undefined) parts.push(`withdraw ${view.withdrawn.join(" ")}`);
  if (view.announced !== undefined) parts.push(`announce ${view.announced.join(" ")}`);
  if (view.attributes !== undefined) parts.push(`(${attributesText(view.attributes)})`);
  if (view.faults !== undefined) parts.push(`FAULT: ${view.faults.join("; ")}`);
  const head = `${view.type} ${view.length}`;
  return parts.length === 0 ? head : `${head}: ${parts.join(" ")}`;
}
