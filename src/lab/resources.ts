/** The cluster's resources, written as YAML an operator would write and applied with the real `overland apply -f`. */
import { writeFileSync } from "node:fs";
import { HOLD_TIME_SECONDS, NODE_AS_NUMBER, POD_POOLS, SERVICE_RANGES } from "./addressing.ts";
import type { Program } from "./agents.ts";
import { inside, must } from "./command.ts";
import { labPaths } from "./paths.ts";
import type { LabPlan } from "./topology.ts";

const SERVICES = `  serviceLoadBalancerIPs:
${[...SERVICE_RANGES.ipv4, ...SERVICE_RANGES.ipv6].map((cidr) => `  - cidr: ${cidr}`).join("\n")}
`;

export function resourceDocuments(plan: LabPlan): string {
  const pools = (["ipv4", "ipv6"] as const).map(
    (family) => `apiVersion: overland.dev/v1
kind: IPPool
metadata:
  name: pods-${family}
spec:
  cidr: ${POD_POOLS[family].cidr}
  blockSize: ${POD_POOLS[family].blockSize}
  natOutgoing: false
`,
  );
  const configuration = `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata:
  name: default
spec:
  asNumber: ${NODE_AS_NUMBER}
  nodeToNodeMeshEnabled: true
  holdTime: ${HOLD_TIME_SECONDS}s
${plan.size.kubernetes === true ? SERVICES : ""}`;
  const peers = plan.routers.map(
    (router) => `apiVersion: overland.dev/v1
kind: BGPPeer
metadata:
  name: ${router.name}
spec:
  nodeSelector: rack == 'rack-${router.rack}'
  peerIP: ${router.rackAddress.ipv4}
  asNumber: ${router.asNumber}
  holdTime: ${HOLD_TIME_SECONDS}s
`,
  );
  return [...pools, configuration, ...peers].join("---\n");
}

export const resourceFile = (lab: string): string => `${labPaths(lab).run}/resources.yaml`;

/** What a program of ours needs to know to talk to this lab's etcd. */
export const etcdEnvironment = (plan: LabPlan): Record<string, string> => ({ ETCD_ENDPOINTS: plan.etcd.endpoint });

export function writeResources(plan: LabPlan): void {
  writeFileSync(resourceFile(plan.size.name), resourceDocuments(plan));
}

/** Returns what `overland apply` said, a line per resource. */
export async function applyResources(plan: LabPlan, program: Program): Promise<string[]> {
  writeResources(plan);
  const command = [...program.command, "apply", "-f", resourceFile(plan.size.name)];
  const applied = await must(inside(plan.etcd.netns, command), { environment: etcdEnvironment(plan) });
  return applied.stdout.trim().split("\n");
}
