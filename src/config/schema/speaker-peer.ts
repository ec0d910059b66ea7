/** A peer, or a range of them, in a speaker's file. */
import { z } from "zod";
import { asNumber, port, text, whole } from "./fields.ts";
import { type FieldPath, type Problem, shown } from "./problem.ts";
import { holdSeconds, hostAddressFaultOf, identifier, interfaceName, peerAddress, seconds } from "./speaker-fields.ts";

const disposition = z.enum(["Accept", "Reject"]);

/** tcp(7): a key has at most 80 octets. */
const password = text((value) => {
  const { length } = new TextEncoder().encode(value);
  if (length === 0) return "is empty; give a password or remove the field";
  return length > 80 ? `is ${length} octets long; TCP MD5 takes at most 80` : undefined;
});

const peerName = text((value) =>
  /^[^\s\p{Cc}]{1,253}$/u.test(value) ? undefined : `${shown(value)} is not a name: 1 to 253 characters without space`,
);

const sourceAddress = text((value) => {
  if (value === "None") return undefined;
  if (value === "UseNodeIP") return `"UseNodeIP" needs a node; give an address, or None to let the kernel choose`;
  const fault = hostAddressFaultOf(value);
  return fault === undefined ? undefined : `${fault}, nor None`;
});

export const speakerPeerSchema = z.strictObject({
  /** Its address when not given. */
  name: peerName.exactOptional(),
  /** Of the other side; or a range, whose members connect to us. */
  address: peerAddress,
  port: port.exactOptional(),
  /** With a range: absent for any. */
  asNumber: asNumber.exactOptional(),
  localASNumber: asNumber.exactOptional(),
  enabled: z.boolean().exactOptional(),
  passive: z.boolean().exactOptional(),
  sourceAddress: sourceAddress.exactOptional(),
  /** For a link-local address. */
  interface: interfaceName.exactOptional(),
  password: password.exactOptional(),
  /** RFC 5082: at most so many hops away; 0: any distance. */
  ttlSecurity: whole(0, 254).exactOptional(),
  /** false: on the same link only. A number: as many hops at most. */
  multihop: z
    .union([z.boolean(), whole(1, 255)], {
      error: (issue) => `${shown(issue.input)} is not true, false or a number of hops from 1 to 255`,
    })
    .exactOptional(),
  families: z
    .array(z.enum(["ipv4-unicast", "ipv6-unicast"]))
    .min(1)
    .exactOptional(),
  holdTime: holdSeconds.exactOptional(),
  keepaliveTime: seconds(1, 65535).exactOptional(),
  connectRetryTime: seconds(1, 65535).exactOptional(),
  /** RFC 4724 has 12 bits for it. */
  maxRestartTime: seconds(0, 4095).exactOptional(),
  /** RFC 8538: routes are kept over a NOTIFICATION and an expired hold timer too. */
  restartOnNotification: z.boolean().exactOptional(),
  /** RFC 9494 has 24 bits for it. */
  longLivedRestartTime: seconds(0, 0xffffff).exactOptional(),
  addPath: z.strictObject({ send: z.boolean().exactOptional(), receive: z.boolean().exactOptional() }).exactOptional(),
  extendedMessages: z.boolean().exactOptional(),
  extendedNextHop: z.boolean().exactOptional(),
  role: z.enum(["provider", "customer", "peer", "rs", "rs-client"]).exactOptional(),
  strictRole: z.boolean().exactOptional(),
  routeReflectorClient: z.boolean().exactOptional(),
  clusterID: identifier.exactOptional(),
  routeServerClient: z.boolean().exactOptional(),
  nextHopMode: z.enum(["Auto", "Self", "Keep"]).exactOptional(),
  numAllowedLocalASNumbers: whole(0, 255).exactOptional(),
  removePrivateAS: z.boolean().exactOptional(),
  gracefulShutdown: z.boolean().exactOptional(),
  maxPrefixes: z
    .strictObject({
      limit: whole(1, 0xffffffff),
      action: z.enum(["warn", "block", "restart", "shutdown"]).exactOptional(),
      restartAfter: seconds(1, 0xffffff).exactOptional(),
    })
    .exactOptional(),
  maxPrefixesOut: whole(0, 0xffffffff).exactOptional(),
  /** What happens to a route that no filter decided. */
  import: disposition.exactOptional(),
  export: disposition.exactOptional(),
  /** Names of filters of the same file. */
  filters: z.array(z.string()).exactOptional(),
});

export type SpeakerPeer = z.output<typeof speakerPeerSchema>;

type Written = Readonly<Record<string, unknown>>;

/** Rules between a peer's fields, on the file as written. */
export function speakerPeerRules(peer: Written, path: FieldPath, ownAS: unknown): Problem[] {
  const problems: Problem[] = [];
  const say = (field: string, message: string) => problems.push({ path: [...path, field], message });
  const { address } = peer;
  const isRange = typeof address === "string" && address.includes("/");
  if (isRange) {
    for (const field of ["port", "sourceAddress", "interface"]) {
      if (peer[field] !== undefined) say(field, "has no meaning for a range, which is never dialled; remove it");
    }
    if (peer["passive"] === false) say("passive", "a range is never dialled; remove it");
  } else {
    if (peer["asNumber"] === undefined) say("asNumber", "is required, unless address is a range");
    linkRules(peer, say);
  }
  if (typeof peer["ttlSecurity"] === "number" && peer["ttlSecurity"] > 0 && peer["multihop"] !== undefined) {
    say("multihop", "does not go with ttlSecurity, which says how far the peer may be; remove one of the two");
  }
  timerRules(peer, say);
  routeRules(peer, ownAS, say);
  return problems;
}

type Say = (field: string, message: string) => void;

function linkRules(peer: Written, say: Say): void {
  const { address, interface: given, sourceAddress: source } = peer;
  if (typeof address !== "string") return;
  const [plain, zone] = address.split("%", 2) as [string, string | undefined];
  const linkLocal = /^fe[89ab]/i.test(plain);
  if (linkLocal && zone === undefined && given === undefined) {
    say("address", `${shown(address)} is link-local; add its interface: "${address}%eth0", or interface: eth0`);
  }
  if (zone !== undefined && typeof given === "string" && given !== zone) {
    say("interface", `${shown(given)} is not the interface in the address, ${shown(zone)}; remove one of the two`);
  }
  if (typeof source === "string" && source !== "None" && source.includes(":") !== address.includes(":")) {
    say("sourceAddress", `${shown(source)} is not of the family of the peer's address ${shown(address)}`);
  }
}

function timerRules(peer: Written, say: Say): void {
  const { keepaliveTime, holdTime = 90 } = peer;
  const [keepalive, hold] = [secondsOf(keepaliveTime), secondsOf(holdTime)];
  if (keepalive === undefined || hold === undefined || hold === 0 || keepalive < hold) return;
  say("keepaliveTime", `${shown(keepaliveTime)} is not shorter than the hold time of ${hold}s; a third is usual`);
}

function secondsOf(value: unknown): number | undefined {
  const result = seconds(0, 65535).safeParse(value);
  return result.success ? result.data : undefined;
}

function routeRules(peer: Written, ownAS: unknown, say: Say): void {
  const [remote, local] = [asNumberOf(peer["asNumber"]), asNumberOf(peer["localASNumber"] ?? ownAS)];
  const known = remote !== undefined && local !== undefined;
  const internal = known && remote === local;
  if (peer["routeReflectorClient"] === true && known && !internal) {
    say("routeReflectorClient", `is for peers of the own AS ${local}; this one is in AS ${remote}`);
  }
  if (internal) {
    for (const field of ["routeServerClient", "removePrivateAS"]) {
      if (peer[field] === true) say(field, `is for peers of another AS; this one is in the own AS ${local}`);
    }
    if (peer["role"] !== undefined) say("role", "is for peers of another AS (RFC 9234 4); remove it");
  }
  if (peer["strictRole"] === true && peer["role"] === undefined) say("strictRole", "needs role");
  const limit = peer["maxPrefixes"] as Written | undefined | null;
  if (typeof limit === "object" && limit !== null && limit["restartAfter"] !== undefined) {
    if (limit["action"] !== "restart") say("maxPrefixes", "restartAfter goes with action: restart; remove one of them");
  }
}

function asNumberOf(value: unknown): number | undefined {
  const result = asNumber.safeParse(value);
  return result.success ? result.data : undefined;
}
