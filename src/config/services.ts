/** Which addresses of services the nodes announce (BGPConfiguration's service fields; the cluster's alone). */
import { type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { configurationOf } from "./cluster.ts";
import type { ResourceSnapshot } from "./resource.ts";

export type ServiceAddressKind = "cluster" | "external" | "loadBalancer";

export interface ServiceSettings {
  /** Addresses of a kind are announced inside its ranges only. */
  readonly ranges: Readonly<Record<ServiceAddressKind, readonly Prefix[]>>;
  /** Load-balancer ranges are announced as a whole; false: the single addresses of services with endpoints. */
  readonly loadBalancerAggregation: boolean;
  /** Names that services may use for communities, and their values. */
  readonly communities: ReadonlyMap<string, string>;
}

/** The field of BGPConfiguration that has the ranges of a kind. */
export const RANGE_FIELDS = {
  cluster: "serviceClusterIPs",
  external: "serviceExternalIPs",
  loadBalancer: "serviceLoadBalancerIPs",
} as const satisfies Record<ServiceAddressKind, string>;

export const ADDRESS_KINDS = Object.keys(RANGE_FIELDS) as readonly ServiceAddressKind[];

export function serviceSettingsOf(snapshot: ResourceSnapshot, nodeName: string): ServiceSettings {
  const global = configurationOf(snapshot, "default");
  const own = configurationOf(snapshot, `node.${nodeName}`);
  const rangesOf = (kind: ServiceAddressKind) => (global[RANGE_FIELDS[kind]] ?? []).map(({ cidr }) => prefixOf(cidr));
  return {
    ranges: {
      cluster: rangesOf("cluster"),
      external: rangesOf("external"),
      loadBalancer: rangesOf("loadBalancer"),
    },
    loadBalancerAggregation: (global.serviceLoadBalancerAggregation ?? "Enabled") === "Enabled",
    communities: new Map((own.communities ?? global.communities ?? []).map(({ name, value }) => [name, value])),
  };
}

export function allServiceRanges({ ranges }: ServiceSettings): readonly Prefix[] {
  return ADDRESS_KINDS.flatMap((kind) => ranges[kind]);
}
