/** IPPool: a range of pod addresses, cut into blocks that nodes own and announce. */
import { z } from "zod";
import { isLinkLocal } from "../../../ipam/net/address.ts";
import { familyOfPrefix, formatPrefix, parsePrefix } from "../../../ipam/net/prefix.ts";
import { cidr, notYet, selector, whole } from "./fields.ts";
import { type Problem, shown } from "./problem.ts";

const TUNNEL = "Overland routes without tunnels";

export const ipPoolSchema = z.strictObject({
  cidr,
  /** Length of a block's prefix: 20 to 32 (default 26), or 116 to 128 (default 122). Cannot change later. */
  blockSize: whole(20, 128).exactOptional(),
  /** No new addresses from this pool; those in use stay. */
  disabled: z.boolean().default(false),
  /** Nodes that may take blocks of this pool. */
  nodeSelector: selector.default("all()"),
  /** Masquerade what pods of this pool send to addresses outside every pool. */
  natOutgoing: z.boolean().default(false),
  /** Announce nothing inside this pool. */
  disableBGPExport: z.boolean().default(false),
  /** Manual: only for those who ask for this pool by name or CIDR. */
  assignmentMode: z.enum(["Automatic", "Manual"]).default("Automatic"),
  ipipMode: notYet(TUNNEL, "Never"),
  vxlanMode: notYet(TUNNEL, "Never"),
  /** Namespaces whose pods get addresses of this pool; empty: all. */
  namespaceSelector: selector.default(""),
  /** Pods get addresses of pools with Workload only. */
  allowedUses: z
    .array(z.enum(["Workload", "Tunnel", "LoadBalancer"]))
    .meta({ maxItems: 3 })
    .default(["Workload", "Tunnel"]),
});

export type IPPoolSpec = Omit<z.output<typeof ipPoolSchema>, "blockSize"> & { readonly blockSize: number };

export function completeIPPool(spec: z.output<typeof ipPoolSchema>): IPPoolSpec {
  return { ...spec, blockSize: spec.blockSize ?? (spec.cidr.includes(":") ? 122 : 26) };
}

/** Rules between fields, on the document as written. */
export function ipPoolRules(spec: Readonly<Record<string, unknown>>): Problem[] {
  const prefix = typeof spec["cidr"] === "string" ? parsePrefix(spec["cidr"]) : undefined;
  if (prefix === undefined) return [];
  const problems = useProblems(spec);
  const say = (field: string, message: string) => problems.push({ path: ["spec", field], message });
  const [min, max, usual] = familyOfPrefix(prefix) === 4 ? [20, 32, 26] : [116, 128, 122];
  const blockSize = typeof spec["blockSize"] === "number" ? spec["blockSize"] : undefined;
  if (blockSize !== undefined && (blockSize < min || blockSize > max)) {
    say("blockSize", `${blockSize} is out of range for ${formatPrefix(prefix)}; from ${min} to ${max} is allowed`);
  } else if (prefix.length > (blockSize ?? usual) && spec["disabled"] !== true) {
    const cure = blockSize === undefined ? `give a blockSize of ${prefix.length} or more, or ` : "";
    say(
      "cidr",
      `${formatPrefix(prefix)} is smaller than one block of /${blockSize ?? usual}; ${cure}use a larger range`,
    );
  }
  if (isLinkLocal(prefix.address)) say("cidr", `${shown(spec["cidr"])} is link-local; such addresses are never routed`);
  return problems;
}

/** As in Calico. */
function useProblems(spec: Readonly<Record<string, unknown>>): Problem[] {
  const { allowedUses, namespaceSelector, nodeSelector, disableBGPExport } = spec;
  const problems: Problem[] = [];
  const say = (field: string, message: string) => problems.push({ path: ["spec", field], message });
  if (typeof namespaceSelector === "string" && namespaceSelector.includes("global()")) {
    say("namespaceSelector", `${shown(namespaceSelector)}: global() is not for namespaces; leave it empty for all`);
  }
  if (!Array.isArray(allowedUses)) return problems;
  if (allowedUses.length === 0) say("allowedUses", "is empty; remove it, or name Workload");
  if (new Set(allowedUses).size < allowedUses.length) say("allowedUses", "names a use twice; remove one");
  if (allowedUses.includes("Tunnel") && typeof namespaceSelector === "string" && namespaceSelector !== "") {
    say("allowedUses", "Tunnel cannot go with a namespaceSelector; write [Workload]");
  }
  if (!allowedUses.includes("LoadBalancer")) return problems;
  if (allowedUses.length > 1) say("allowedUses", "LoadBalancer must stand alone; make another pool for pods");
  if (nodeSelector !== undefined && nodeSelector !== "all()") {
    say("nodeSelector", "must be all() in a pool for LoadBalancer; its addresses belong to no node");
  }
  if (disableBGPExport === true) say("disableBGPExport", "cannot be true in a pool for LoadBalancer; remove it");
  return problems;
}
