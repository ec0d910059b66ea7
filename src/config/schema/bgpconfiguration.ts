/** BGPConfiguration: `default` is the cluster's, `node.<name>` overrides a few fields for one node. */
import { z } from "zod";
import { addressOf, familyOf, isLoopback } from "../../../ipam/net/address.ts";
import {
  asNumber,
  cidr,
  community,
  communityFault,
  connectRetryTime,
  duration,
  holdTime,
  hostAddressFault,
  notYet,
  port,
  serviceRange,
  text,
  whole,
} from "./fields.ts";
import { passwordSource } from "./password.ts";
import { type Problem, shown } from "./problem.ts";

const METRIC = "routes are written with the metric 1024";

const SEVERITIES = ["Trace", "Debug", "Info", "Warning", "Error", "Fatal"] as const;

/** A pattern: RE2 and JavaScript write "any case" differently. */
function inAnyCase(word: string): string {
  return [...word].map((letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`).join("");
}

const communityName = text(
  (value) => {
    if (value === "" || value.length > 253) return `${shown(value)} is not a name: 1 to 253 characters`;
    return communityFault(value) === undefined ? `${shown(value)} is a community itself; it needs no name` : undefined;
  },
  { minLength: 1, maxLength: 253 },
);

const serviceRanges = z
  .array(z.strictObject({ cidr: serviceRange }))
  .max(500)
  .exactOptional();

/** Where pods reach the node as their gateway. */
const POD_GATEWAY = "169.254.1.1";

function peeringAddress(family: 4 | 6) {
  const twin = { pattern: family === 4 ? "^[0-9.]*$" : "^[0-9A-Fa-f:.]*$", maxLength: 45 };
  return text((value) => (value === "" ? undefined : peeringAddressFault(value, family)), twin).exactOptional();
}

function peeringAddressFault(value: string, family: 4 | 6): string | undefined {
  const fault = hostAddressFault(value);
  if (fault !== undefined) return fault;
  const address = addressOf(value);
  if (familyOf(address) !== family)
    return `${shown(value)} is not IPv${family}; it belongs in the other family's field`;
  if (value === POD_GATEWAY) return `${shown(value)} is the gateway of every pod; give another, as 169.254.0.179`;
  if (isLoopback(address)) return `${shown(value)} is every machine's own; give one such as 169.254.0.179 or fd00::179`;
  return undefined;
}

export const bgpConfigurationSchema = z.strictObject({
  /** How much the agent's BGP part logs. Any case is taken, as Calico does. */
  logSeverityScreen: text(
    (value) =>
      SEVERITIES.some((severity) => severity.toLowerCase() === value.toLowerCase())
        ? undefined
        : `${shown(value)} is not one of ${SEVERITIES.join(", ")}`,
    { pattern: `^(${SEVERITIES.map(inAnyCase).join("|")})$`, maxLength: 7 },
  ).exactOptional(),
  /** Every node peers with every other one; true when not given. */
  nodeToNodeMeshEnabled: z.boolean().exactOptional(),
  /** AS of every node that has none of its own; 64512 when not given. */
  asNumber: asNumber.exactOptional(),
  /** TCP port to listen on, and that others dial in the mesh; 179 when not given. */
  listenPort: port.exactOptional(),
  /** Graceful-restart time of mesh sessions; 120s when not given. RFC 4724 has 12 bits for it. */
  nodeMeshMaxRestartTime: duration(0, 4095).exactOptional(),
  /** TCP MD5 (RFC 2385) of mesh sessions. Without what is named here they stay down. */
  nodeMeshPassword: passwordSource.exactOptional(),
  /** Ours. Seconds (or a duration) without a message after which a session is given up; 90 when not given. */
  holdTime: holdTime.exactOptional(),
  /** Ours. Seconds between attempts to connect; 5 when not given. */
  connectRetryTime: connectRetryTime.exactOptional(),
  /** Names for communities, to be used in prefixAdvertisements. */
  communities: z
    .array(z.strictObject({ name: communityName, value: community }))
    .max(500)
    .exactOptional(),
  /** Routes inside cidr are announced with these communities: values, or names of them. */
  prefixAdvertisements: z
    .array(z.strictObject({ cidr, communities: z.array(z.string()).max(50).exactOptional() }))
    .max(500)
    .exactOptional(),
  /** Ranges of services' addresses to announce: as a whole, and single addresses where it matters which node. */
  serviceClusterIPs: serviceRanges,
  serviceExternalIPs: serviceRanges,
  serviceLoadBalancerIPs: serviceRanges,
  /** Disabled: instead of load-balancer ranges the single addresses of services that have endpoints are announced. */
  serviceLoadBalancerAggregation: z.enum(["Enabled", "Disabled"]).exactOptional(),
  /** NodeIP: connections are taken on the node's addresses only. */
  bindMode: z.enum(["None", "NodeIP"]).exactOptional(),
  /** Ours. RFC 8212: a peer in another AS that names no filters neither gives nor gets routes. */
  ebgpRequiresPolicy: z.boolean().exactOptional(),
  /** Ours. How many equally good paths go to the kernel: a number, or true for 16, false for 1. */
  multipath: z
    .union([z.boolean(), whole(1, 256)], {
      error: (issue) => `${shown(issue.input)} is not true, false or a number of paths from 1 to 256`,
    })
    .exactOptional(),
  /** Ours. RFC 4271 9.1.2.2 c: MED is compared between paths of one neighbouring AS, or of all. */
  compareMED: z.enum(["SameAS", "Always"]).exactOptional(),
  /** Ours. What a path without MED counts as. */
  missingMED: z.enum(["Best", "Worst"]).exactOptional(),
  // Overland announces no interface's own network, so there is nothing to leave out: harmless whatever it says.
  ignoredInterfaces: z.array(z.string()).exactOptional(),
  /** Address of every node towards its own pods, for those that BGPPeers choose by localWorkloadSelector to dial. */
  localWorkloadPeeringIPV4: peeringAddress(4),
  /** The same in IPv6. */
  localWorkloadPeeringIPV6: peeringAddress(6),
  programClusterRoutes: notYet("the agent always writes routes to pods", "Enabled", "EnabledNoEncapOnly"),
  ipv4NormalRoutePriority: notYet(METRIC, 1024),
  ipv6NormalRoutePriority: notYet(METRIC, 1024),
});

export type BGPConfigurationSpec = z.output<typeof bgpConfigurationSchema>;

export const SERVICE_RANGES: readonly string[] = ["serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"];
export const DEFAULT_ONLY: readonly string[] = [
  "nodeToNodeMeshEnabled",
  "asNumber",
  "nodeMeshMaxRestartTime",
  "nodeMeshPassword",
  ...SERVICE_RANGES,
  "serviceLoadBalancerAggregation",
  "localWorkloadPeeringIPV4",
  "localWorkloadPeeringIPV6",
];

type Written = Readonly<Record<string, unknown>>;

/** Rules between the name and the fields, and between fields, on the document as written. */
export function bgpConfigurationRules(spec: Written, name: unknown): Problem[] {
  const problems: Problem[] = [];
  if (typeof name === "string" && name !== "default") {
    if (!/^node\../.test(name)) {
      const message = `${shown(name)} configures nothing; the name is "default" for the cluster or "node.<node name>"`;
      problems.push({ path: ["metadata", "name"], message });
    }
    for (const field of DEFAULT_ONLY.filter((known) => spec[known] !== undefined)) {
      const cure = field === "asNumber" ? "; a node's own AS is spec.bgp.asNumber of its Node" : "; remove it";
      const message = `only the BGPConfiguration "default" may set this, not ${shown(name)}${cure}`;
      problems.push({ path: ["spec", field], message });
    }
  }
  for (const field of ["nodeMeshMaxRestartTime", "nodeMeshPassword"]) {
    if (spec["nodeToNodeMeshEnabled"] !== false || spec[field] === undefined) continue;
    const message = "has no meaning with nodeToNodeMeshEnabled: false; remove it";
    problems.push({ path: ["spec", field], message });
  }
  return [...problems, ...communityRules(spec)];
}

function communityRules(spec: Written): Problem[] {
  const problems: Problem[] = [];
  const named = Array.isArray(spec["communities"]) ? (spec["communities"] as unknown[]) : [];
  const advertised = Array.isArray(spec["prefixAdvertisements"]) ? (spec["prefixAdvertisements"] as unknown[]) : [];
  const services = SERVICE_RANGES.some((field) => Array.isArray(spec[field]) && spec[field].length > 0);
  if (named.length > 0 && advertised.length === 0 && !services) {
    const message =
      "are names for use in prefixAdvertisements and by services, and there is neither; add one, or remove them";
    problems.push({ path: ["spec", "communities"], message });
  }
  const names = named.map((item) => (isMap(item) ? item["name"] : undefined));
  for (const [i, name] of names.entries()) {
    if (name === undefined || names.indexOf(name) === i) continue;
    const message = `${shown(name)} is the name of another community already`;
    problems.push({ path: ["spec", "communities", i, "name"], message });
  }
  for (const [i, item] of advertised.entries()) {
    const values = isMap(item) && Array.isArray(item["communities"]) ? (item["communities"] as unknown[]) : [];
    for (const [k, value] of values.entries()) {
      if (typeof value !== "string" || names.includes(value)) continue;
      const fault = communityFault(value);
      if (fault === undefined) continue;
      const message = `${fault}, and no name in spec.communities`;
      problems.push({ path: ["spec", "prefixAdvertisements", i, "communities", k], message });
    }
  }
  return problems;
}

function isMap(value: unknown): value is Written {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
