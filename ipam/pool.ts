/** A pool: the range that blocks are cut from, and which nodes may do so. */
import { type Family } from "./net/address.ts";
import { familyOfPrefix, formatPrefix, type Prefix, samePrefix } from "./net/prefix.ts";
import { type Labels, matches, parseSelector } from "./selector.ts";

/** What a pool's addresses may be for. Overland has no tunnels. */
export type PoolUse = "Workload" | "Tunnel" | "LoadBalancer";

/** The plain value of an IPPool's spec. */
export interface Pool {
  readonly name: string;
  readonly cidr: Prefix;
  /** Prefix length of its blocks: 20 to 32 for IPv4, 116 to 128 for IPv6, and not shorter than the cidr's. */
  readonly blockSize: number;
  readonly disabled: boolean;
  /** Calico's selector language; empty: all nodes. */
  readonly nodeSelector: string;
  /** The same over labels of the pod's namespace; empty or `all()`: every namespace, and what has none. */
  readonly namespaceSelector: string;
  readonly allowedUses: readonly PoolUse[];
  /** Manual: used only by requests that name the pool. */
  readonly assignmentMode: "Automatic" | "Manual";
  readonly natOutgoing: boolean;
  readonly disableBGPExport: boolean;
}

/** How many blocks the pool can be cut into: a power of two, beyond 2^53 for large IPv6 pools. */
export function blockCount(pool: Pool): bigint {
  return 1n << BigInt(Math.max(0, pool.blockSize - pool.cidr.length));
}

/** `default-ipv4 (10.244.0.0/16)` */
export function poolText(pool: Pool): string {
  return `${pool.name} (${formatPrefix(pool.cidr)})`;
}

export interface PoolChoice {
  /** In the order of the request, else by name. */
  readonly pools: readonly Pool[];
  /** A phrase for each pool of the family that did not qualify. */
  readonly reasons: readonly string[];
}

/**
 * Which pools a node may take addresses of the family from when the request names none.
 *
 * @param namespaceLabels undefined: the request comes from no namespace, as all do outside Kubernetes
 */
export function automaticPools(
  all: readonly Pool[],
  family: Family,
  labels: Labels,
  namespaceLabels?: Labels,
): PoolChoice {
  const pools: Pool[] = [];
  const reasons: string[] = [];
  for (const pool of [...all].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (familyOfPrefix(pool.cidr) !== family) continue;
    const reason =
      whyNotForPods(pool) ?? whyNotAutomatic(pool) ?? whyNotOnNode(pool, labels) ?? whyNotFor(pool, namespaceLabels);
    if (reason === undefined) pools.push(pool);
    else reasons.push(`${poolText(pool)} ${reason}`);
  }
  return { pools, reasons };
}

/** A phrase about a pool that no pod gets an address of, however it asks. */
export function whyNotForPods({ disabled, allowedUses }: Pool): string | undefined {
  if (disabled) return "is disabled";
  return allowedUses.includes("Workload") ? undefined : `has allowedUses ${allowedUses.join(", ")}, without Workload`;
}

function whyNotAutomatic({ assignmentMode }: Pool): string | undefined {
  return assignmentMode === "Manual" ? "has assignmentMode Manual and the request does not name it" : undefined;
}

function whyNotOnNode({ nodeSelector }: Pool, labels: Labels): string | undefined {
  const parsed = parseSelector(nodeSelector);
  if ("error" in parsed) return `has a faulty nodeSelector ${JSON.stringify(nodeSelector)}: ${parsed.error}`;
  return matches(parsed.selector, labels)
    ? undefined
    : `has nodeSelector ${nodeSelector}, which this node does not match`;
}

export function selectsNamespaces({ namespaceSelector }: Pool): boolean {
  return !["", "all()"].includes(namespaceSelector.trim());
}

function whyNotFor(pool: Pool, labels: Labels | undefined): string | undefined {
  const { namespaceSelector } = pool;
  if (!selectsNamespaces(pool)) return undefined;
  const has = `has namespaceSelector ${namespaceSelector}`;
  if (labels === undefined) return `${has}, and the request tells no labels of a namespace: only Kubernetes has them`;
  const parsed = parseSelector(namespaceSelector);
  if ("error" in parsed) return `has a faulty namespaceSelector ${JSON.stringify(namespaceSelector)}: ${parsed.error}`;
  return matches(parsed.selector, labels) ? undefined : `${has}, which the namespace does not match`;
}

/** The pool that a request means by a name or by a CIDR in any spelling of it. */
export function findPool(all: readonly Pool[], nameOrCidr: string, cidr: Prefix | undefined): Pool | undefined {
  return all.find((pool) => pool.name === nameOrCidr || (cidr !== undefined && samePrefix(pool.cidr, cidr)));
}
