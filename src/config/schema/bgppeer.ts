/**
 * BGPPeer: who peers with whom. Neither node nor nodeSelector: every node has the peering. The other side is an address
 * (peerIP, asNumber), other nodes (peerSelector), or the node's own pods (localWorkloadSelector).
 */
import { z } from "zod";
import { familyOf, parseAddress } from "../../../ipam/net/address.ts";
import { secondsOf } from "../duration.ts";
import { readPeerAddress } from "../peer-address.ts";
import {
  asNumber,
  connectRetryTime,
  duration,
  holdTime,
  hostAddressFault,
  name,
  secondsOrDuration,
  selector,
  text,
  whole,
} from "./fields.ts";
import { passwordSource } from "./password.ts";
import { type Problem, shown } from "./problem.ts";

const peerIP = text(
  (value) => {
    const split = readPeerAddress(value);
    if (split === undefined) {
      return `${shown(value)} is not an address such as 192.0.2.1, 192.0.2.1:1790, 2001:db8::1 or [2001:db8::1]:1790`;
    }
    return hostAddressFault(split.address);
  },
  { pattern: "^[0-9A-Fa-f.:\\[\\]]+$", maxLength: 64 },
);

/** Fields that Calico does not have. */
const ours = {
  /** Both that the node has when not given. */
  families: z
    .array(z.enum(["ipv4-unicast", "ipv6-unicast"]))
    .min(1)
    .exactOptional(),
  /** RFC 7911: several paths to one prefix. */
  addPath: z.strictObject({ send: z.boolean().exactOptional(), receive: z.boolean().exactOptional() }).exactOptional(),
  /** false: the peer is on the same link. A number: as many hops at most. */
  multihop: z
    .union([z.boolean(), whole(1, 255)], {
      error: (issue) => `${shown(issue.input)} is not true, false or a number of hops from 1 to 255`,
    })
    .exactOptional(),
  /** How many prefixes of a family the peer may announce, and what happens beyond. */
  maxPrefixes: z
    .strictObject({
      limit: whole(1, 0xffffffff),
      /** shutdown when not given. */
      action: z.enum(["warn", "block", "restart", "shutdown"]).exactOptional(),
      /** 300 seconds when not given. */
      restartAfter: secondsOrDuration(1, 0xffffff).exactOptional(),
    })
    .exactOptional(),
  /** RFC 9494: how long routes stay as a last resort when the restart time is over; off when not given. */
  longLivedRestartTime: secondsOrDuration(0, 0xffffff).exactOptional(),
  /** RFC 8950: IPv4 routes with IPv6 next hops. */
  extendedNextHop: z.boolean().exactOptional(),
  /** RFC 9234: what this node is to the peer. */
  role: z.enum(["provider", "customer", "peer", "rs", "rs-client"]).exactOptional(),
  /** The peer has to say its role too. */
  strictRole: z.boolean().exactOptional(),
  /** RFC 7947: routes go to this peer as they came. */
  routeServerClient: z.boolean().exactOptional(),
  /** RFC 6996: private AS numbers leave the path before it goes to this peer. */
  removePrivateAS: z.boolean().exactOptional(),
  /** RFC 8326: what this peer is told is marked as about to go. */
  gracefulShutdown: z.boolean().exactOptional(),
};

export const bgpPeerSchema = z.strictObject({
  /** The one node that has this peering. */
  node: z.union([name, z.literal("")]).exactOptional(),
  /** The nodes that have this peering, by their labels. */
  nodeSelector: z.union([selector, z.literal("")]).exactOptional(),
  /** Address of the other side, with a port if it is not the usual one. */
  peerIP: z.union([z.literal(""), peerIP]).exactOptional(),
  /** AS of the other side; goes with peerIP and localWorkloadSelector. */
  asNumber: asNumber.exactOptional(),
  /** AS that this node shows to the peer instead of its own. */
  localASNumber: asNumber.exactOptional(),
  /** The other side is every node whose labels match. */
  peerSelector: z.union([selector, z.literal("")]).exactOptional(),
  /** The other side is every pod of the node itself whose labels match: it dials, the node waits. */
  localWorkloadSelector: z.union([selector, z.literal("")]).exactOptional(),
  /** Auto: nodes chosen by peerSelector peer back by themselves. Manual: they have to be told. */
  reversePeering: z.enum(["Auto", "Manual"]).exactOptional(),
  /** Auto: own address to other ASes, kept inside the AS. Self, Keep: always. */
  nextHopMode: z.enum(["Auto", "Self", "Keep"]).exactOptional(),
  /** UseNodeIP: connect from the node's address. None: the kernel picks. */
  sourceAddress: z.enum(["UseNodeIP", "None"]).exactOptional(),
  /** Gateway by which peerIP is reached: the node gets a route to it. */
  reachableBy: z
    .union([z.literal(""), text(hostAddressFault, { pattern: "^[0-9A-Fa-f.:]*$", maxLength: 45 })])
    .exactOptional(),
  /** Graceful-restart time offered; 120s when not given. RFC 4724 has 12 bits for it. */
  maxRestartTime: duration(0, 4095).exactOptional(),
  /** Time between keepalives; a third of the agreed hold time when not given. */
  keepaliveTime: duration(1, 65535).exactOptional(),
  /** How often the local AS may stand in a received path; 0 when not given. */
  numAllowedLocalASNumbers: whole(0, 255).exactOptional(),
  /** TCP MD5 (RFC 2385). Without what is named here the session stays down. */
  password: passwordSource.exactOptional(),
  /** RFC 5082: at most so many hops away; 0 or not given: any distance. */
  ttlSecurity: whole(0, 254).exactOptional(),
  /** Ours. As in BGPConfiguration, for this peering alone. */
  holdTime: holdTime.exactOptional(),
  /** Ours. As in BGPConfiguration, for this peering alone. */
  connectRetryTime: connectRetryTime.exactOptional(),
  /** Ours. Never dial; wait for the peer to. */
  passive: z.boolean().exactOptional(),
  /** BGPFilters, asked in this order. */
  filters: z.array(name).exactOptional(),
  /** Calico's older word for nextHopMode: Keep, towards other ASes only. */
  keepOriginalNextHop: z.boolean().exactOptional(),
  ...ours,
});

export type BGPPeerSpec = z.output<typeof bgpPeerSchema>;

type Written = Readonly<Record<string, unknown>>;

/** Rules between fields, on the document as written. */
export function bgpPeerRules(spec: Written): Problem[] {
  const problems: Problem[] = [];
  const has = (field: string) => spec[field] !== undefined && spec[field] !== "";
  const say = (field: string, message: string) => problems.push({ path: ["spec", field], message });
  if (has("node") && has("nodeSelector")) say("nodeSelector", "does not go with node; remove one of the two");
  if (has("peerSelector")) {
    if (has("peerIP")) say("peerSelector", "does not go with peerIP; remove one of the two");
    if (has("asNumber"))
      say("asNumber", "does not go with peerSelector: the AS is that of each node chosen; remove it");
    if (spec["passive"] === true) say("passive", "does not go with peerSelector: both ends would wait; remove it");
  } else if (!has("peerIP") && !has("localWorkloadSelector")) {
    say("peerIP", "is required, unless peerSelector chooses other nodes or localWorkloadSelector the node's own pods");
  }
  problems.push(...localWorkloadRules(spec));
  if (has("peerIP") && !has("asNumber") && !has("peerSelector")) say("asNumber", "is required with peerIP");
  if (has("reachableBy")) problems.push(...reachableByRules(spec));
  if (has("reversePeering") && !has("peerSelector")) say("reversePeering", "needs peerSelector; remove it");
  if (spec["keepOriginalNextHop"] === true && has("nextHopMode")) {
    say("keepOriginalNextHop", "does not go with nextHopMode, which says all of it; remove keepOriginalNextHop");
  }
  return [...problems, ...timerRules(spec), ...filterRules(spec), ...ourRules(spec)];
}

/**
 * What says nothing of a session with a pod of the node itself: the pod dials, over its own link, from its own address,
 * and is told of own routes only.
 */
export const NOT_FOR_LOCAL_WORKLOADS: readonly (keyof BGPPeerSpec)[] = [
  "peerIP",
  "peerSelector",
  "sourceAddress",
  "passive",
  "connectRetryTime",
  "ttlSecurity",
  "multihop",
  "nextHopMode",
  "keepOriginalNextHop",
  "families",
  "extendedNextHop",
  "routeServerClient",
];

function localWorkloadRules(spec: Written): Problem[] {
  const { localWorkloadSelector: chosen } = spec;
  if (chosen === undefined || chosen === "") return [];
  const problems: Problem[] = NOT_FOR_LOCAL_WORKLOADS.filter(
    (field) => spec[field] !== undefined && spec[field] !== "",
  ).map((field) => ({ path: ["spec", field], message: "does not go with localWorkloadSelector; remove it" }));
  if (spec["asNumber"] === undefined) {
    problems.push({
      path: ["spec", "asNumber"],
      message: "is required with localWorkloadSelector: the AS of the pods",
    });
  }
  return problems;
}

function reachableByRules({ peerIP, reachableBy }: Written): Problem[] {
  const say = (message: string) => [{ path: ["spec", "reachableBy"], message }];
  const peer = typeof peerIP === "string" ? parseAddress(readPeerAddress(peerIP)?.address ?? "") : undefined;
  const gateway = typeof reachableBy === "string" ? parseAddress(reachableBy) : undefined;
  if (typeof peerIP !== "string" || peerIP === "") return say("needs peerIP; add one, or remove it");
  if (peer === undefined || gateway === undefined || peer.length === gateway.length) return [];
  return say(`${shown(reachableBy)} is not of the same family as peerIP; give a gateway of IPv${familyOf(peer)}`);
}

function filterRules({ filters }: Written): Problem[] {
  if (!Array.isArray(filters)) return [];
  return filters.flatMap((filter: unknown, i) =>
    filters.indexOf(filter) === i
      ? []
      : [{ path: ["spec", "filters", i], message: `${shown(filter)} stands there already; remove one of the two` }],
  );
}

function ourRules(spec: Written): Problem[] {
  const problems: Problem[] = [];
  const { ttlSecurity, multihop, maxPrefixes } = spec;
  if (typeof ttlSecurity === "number" && ttlSecurity > 0 && multihop !== undefined) {
    const message = "does not go with ttlSecurity, which says how far the peer may be; remove one of the two";
    problems.push({ path: ["spec", "multihop"], message });
  }
  if (spec["strictRole"] === true && spec["role"] === undefined) {
    problems.push({ path: ["spec", "strictRole"], message: "needs role; add one, or remove it" });
  }
  if (typeof maxPrefixes === "object" && maxPrefixes !== null) {
    const { action, restartAfter } = maxPrefixes as Written;
    if (restartAfter !== undefined && action !== "restart") {
      const message = "goes with action: restart; remove it, or set the action";
      problems.push({ path: ["spec", "maxPrefixes", "restartAfter"], message });
    }
  }
  return problems;
}

function timerRules(spec: Written): Problem[] {
  const { keepaliveTime, holdTime: hold } = spec;
  if (typeof keepaliveTime !== "string" || (typeof hold !== "string" && typeof hold !== "number")) return [];
  const [keepalive, limit] = [secondsOf(keepaliveTime), secondsOf(hold)];
  if (limit === 0 || keepalive < limit) return [];
  const message = `${shown(keepaliveTime)} is not shorter than the hold time of ${limit}s; a third of it is usual`;
  return [{ path: ["spec", "keepaliveTime"], message }];
}
