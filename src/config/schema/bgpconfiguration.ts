/** BGPConfiguration: `default` is the cluster's, `node.<name>` overrides a few fields for one node. */
import { z } from "zod";
import { asNumber, connectRetryTime, duration, holdTime, notYet, port, text } from "./fields.ts";
import { type Problem, shown } from "./problem.ts";

const SERVICES = "announcing services comes with Kubernetes";
const EXPORT = "communities come with export policy";
const METRIC = "routes are written with the metric 1024";

const SEVERITIES = ["Trace", "Debug", "Info", "Warning", "Error", "Fatal"] as const;

export const bgpConfigurationSchema = z.strictObject({
  /** How much the agent's BGP part logs. Any case is taken, as Calico does. */
  logSeverityScreen: text((value) =>
    SEVERITIES.some((severity) => severity.toLowerCase() === value.toLowerCase())
      ? undefined
      : `${shown(value)} is not one of ${SEVERITIES.join(", ")}`,
  ).exactOptional(),
  /** Every node peers with every other one; true when not given. */
  nodeToNodeMeshEnabled: z.boolean().exactOptional(),
  /** AS of every node that has none of its own; 64512 when not given. */
  asNumber: asNumber.exactOptional(),
  /** TCP port to listen on, and that others dial in the mesh; 179 when not given. */
  listenPort: port.exactOptional(),
  /** Graceful-restart time of mesh sessions; 120s when not given. RFC 4724 has 12 bits for it. */
  nodeMeshMaxRestartTime: duration(0, 4095).exactOptional(),
  /** Ours. Seconds (or a duration) without a message after which a session is given up; 90 when not given. */
  holdTime: holdTime.exactOptional(),
  /** Ours. Seconds between attempts to connect; 5 when not given. */
  connectRetryTime: connectRetryTime.exactOptional(),
  // Overland announces no interface's own network, so there is nothing to leave out: harmless whatever it says.
  ignoredInterfaces: z.array(z.string()).exactOptional(),
  nodeMeshPassword: notYet("needs Secrets, which come with Kubernetes"),
  bindMode: notYet("the agent listens on every address", "None"),
  serviceClusterIPs: notYet(SERVICES, []),
  serviceExternalIPs: notYet(SERVICES, []),
  serviceLoadBalancerIPs: notYet(SERVICES, []),
  serviceLoadBalancerAggregation: notYet(SERVICES, "Enabled"),
  communities: notYet(EXPORT, []),
  prefixAdvertisements: notYet(EXPORT, []),
  localWorkloadPeeringIPV4: notYet("pods cannot peer with their node", ""),
  localWorkloadPeeringIPV6: notYet("pods cannot peer with their node", ""),
  programClusterRoutes: notYet("the agent always writes routes to pods", "Enabled", "EnabledNoEncapOnly"),
  ipv4NormalRoutePriority: notYet(METRIC, 1024),
  ipv6NormalRoutePriority: notYet(METRIC, 1024),
});

export type BGPConfigurationSpec = z.output<typeof bgpConfigurationSchema>;

const DEFAULT_ONLY = ["nodeToNodeMeshEnabled", "asNumber", "nodeMeshMaxRestartTime"];

/** Rules between the name and the fields, and between fields, on the document as written. */
export function bgpConfigurationRules(spec: Readonly<Record<string, unknown>>, name: unknown): Problem[] {
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
  if (spec["nodeToNodeMeshEnabled"] === false && spec["nodeMeshMaxRestartTime"] !== undefined) {
    const message = "has no meaning with nodeToNodeMeshEnabled: false; remove it";
    problems.push({ path: ["spec", "nodeMeshMaxRestartTime"], message });
  }
  return problems;
}
