/** IPAMConfiguration: how the cluster gives out addresses. There is one, called `default`. */
import { z } from "zod";
import { notYet, whole } from "./fields.ts";
import { type Problem, shown } from "./problem.ts";

export const IPAM_CONFIGURATION = "default";

export const ipamConfigurationSchema = z.strictObject({
  /** Addresses of a node's own blocks only: nothing is borrowed. */
  strictAffinity: z.boolean().default(false),
  /** The most blocks of each family that a node claims by itself; 0: no limit. */
  maxBlocksPerHost: whole(0, 1_000_000).default(0),
  /** How long a released address rests. */
  ipCooldownSeconds: whole(0, 1200).default(30),
  autoAllocateBlocks: notYet("nodes claim their blocks themselves", true),
  kubeVirtVMAddressPersistence: notYet("needs KubeVirt", "Disabled"),
});

export type IPAMConfigurationSpec = Pick<
  z.output<typeof ipamConfigurationSchema>,
  "strictAffinity" | "maxBlocksPerHost" | "ipCooldownSeconds"
>;

export function ipamConfigurationRules(_spec: unknown, name: unknown): Problem[] {
  if (name === undefined || name === IPAM_CONFIGURATION) return [];
  const message = `${shown(name)} is not ${IPAM_CONFIGURATION}; there is one IPAMConfiguration, and it has this name`;
  return [{ path: ["metadata", "name"], message }];
}
