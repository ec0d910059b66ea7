/**
 * BGPPeer: who peers with whom. Neither node nor nodeSelector: every node has the peering. The other side is an address
 * (peerIP, asNumber) or other nodes (peerSelector).
 */
import { z } from "zod";
import { secondsOf } from "../duration.ts";
import { readPeerAddress } from "../peer-address.ts";
import {
  asNumber,
  connectRetryTime,
  duration,
  holdTime,
  hostAddressFault,
  name,
  notYet,
  selector,
  text,
  whole,
} from "./fields.ts";
import { type Problem, shown } from "./problem.ts";

const peerIP = text((value) => {
  const split = readPeerAddress(value);
  if (split === undefined) {
    return `${shown(value)} is not an address such as 192.0.2.1, 192.0.2.1:1790, 2001:db8::1 or [2001:db8::1]:1790`;
  }
  return hostAddressFault(split.address);
});

export const bgpPeerSchema = z.strictObject({
  /** The one node that has this peering. */
  node: z.union([name, z.literal("")]).exactOptional(),
  /** The nodes that have this peering, by their labels. */
  nodeSelector: z.union([selector, z.literal("")]).exactOptional(),
  /** Address of the other side, with a port if it is not the usual one. */
  peerIP: z.union([z.literal(""), peerIP]).exactOptional(),
  /** AS of the other side; goes with peerIP. */
  asNumber: asNumber.exactOptional(),
  /** AS that this node shows to the peer instead of its own. */
  localASNumber: asNumber.exactOptional(),
  /** The other side is every node whose labels match. */
  peerSelector: z.union([selector, z.literal("")]).exactOptional(),
  /** Auto: nodes chosen by peerSelector peer back by themselves. Manual: they have to be told. */
  reversePeering: z.enum(["Auto", "Manual"]).exactOptional(),
  /** Auto: own address to other ASes, kept inside the AS. Self, Keep: always. */
  nextHopMode: z.enum(["Auto", "Self", "Keep"]).exactOptional(),
  /** UseNodeIP: connect from the node's address. None: the kernel picks. */
  sourceAddress: z.enum(["UseNodeIP", "None"]).exactOptional(),
  /** Graceful-restart time offered; 120s when not given. RFC 4724 has 12 bits for it. */
  maxRestartTime: duration(0, 4095).exactOptional(),
  /** Time between keepalives; a third of the agreed hold time when not given. */
  keepaliveTime: duration(1, 65535).exactOptional(),
  /** How often the local AS may stand in a received path; 0 when not given. */
  numAllowedLocalASNumbers: whole(0, 255).exactOptional(),
  /** RFC 5082: at most so many hops away; 0 or not given: any distance. */
  ttlSecurity: whole(0, 254).exactOptional(),
  /** Ours. As in BGPConfiguration, for this peering alone. */
  holdTime: holdTime.exactOptional(),
  /** Ours. As in BGPConfiguration, for this peering alone. */
  connectRetryTime: connectRetryTime.exactOptional(),
  /** Ours. Never dial; wait for the peer to. */
  passive: z.boolean().exactOptional(),
  password: notYet("needs Secrets, which come with Kubernetes"),
  filters: notYet("needs BGPFilter", []),
  reachableBy: notYet("routes to a peer have to exist already", ""),
  localWorkloadSelector: notYet("pods cannot peer with their node", ""),
  keepOriginalNextHop: z
    .custom<boolean>((value) => value === false, "deprecated by Calico and not supported; use nextHopMode: Keep")
    .exactOptional(),
});

export type BGPPeerSpec = z.output<typeof bgpPeerSchema>;

/** Rules between fields, on the document as written. */
export function bgpPeerRules(spec: Readonly<Record<string, unknown>>): Problem[] {
  const problems: Problem[] = [];
  const has = (field: string) => spec[field] !== undefined && spec[field] !== "";
  const say = (field: string, message: string) => problems.push({ path: ["spec", field], message });
  if (has("node") && has("nodeSelector")) say("nodeSelector", "does not go with node; remove one of the two");
  if (has("peerSelector")) {
    if (has("peerIP")) say("peerSelector", "does not go with peerIP; remove one of the two");
    if (has("asNumber"))
      say("asNumber", "does not go with peerSelector: the AS is that of each node chosen; remove it");
    if (spec["passive"] === true) say("passive", "does not go with peerSelector: both ends would wait; remove it");
  } else if (!has("peerIP")) {
    say("peerIP", "is required, unless peerSelector chooses other nodes");
  }
  if (has("peerIP") && !has("asNumber") && !has("peerSelector")) say("asNumber", "is required with peerIP");
  if (has("reversePeering") && !has("peerSelector")) say("reversePeering", "needs peerSelector; remove it");
  problems.push(...timerRules(spec));
  return problems;
}

function timerRules(spec: Readonly<Record<string, unknown>>): Problem[] {
  const { keepaliveTime, holdTime: hold } = spec;
  if (typeof keepaliveTime !== "string" || (typeof hold !== "string" && typeof hold !== "number")) return [];
  const [keepalive, limit] = [secondsOf(keepaliveTime), secondsOf(hold)];
  if (limit === 0 || keepalive < limit) return [];
  const message = `${shown(keepaliveTime)} is not shorter than the hold time of ${limit}s; a third of it is usual`;
  return [{ path: ["spec", "keepaliveTime"], message }];
}
