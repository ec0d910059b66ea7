/**
 * Resources as the rest of the program sees them: checked, AS numbers as integers, a pool's defaults filled in.
 *
 * Where "not given" means something of its own (a node's value before the cluster's) a field stays optional, and
 * resolve.ts says what holds. The fields and their meaning are in schema/.
 */
import type { API_VERSION, Kind } from "./kinds.ts";
import type { BGPConfigurationSpec } from "./schema/bgpconfiguration.ts";
import type { BGPFilterSpec } from "./schema/bgpfilter.ts";
import type { BGPPeerSpec } from "./schema/bgppeer.ts";
import type { IPAMConfigurationSpec } from "./schema/ipamconfiguration.ts";
import type { IPPoolSpec } from "./schema/ippool.ts";
import type { IPReservationSpec } from "./schema/ipreservation.ts";
import type { NodeSpec } from "./schema/node.ts";

export type { BGPConfigurationSpec, BGPFilterSpec, BGPPeerSpec, IPPoolSpec, NodeSpec };

export interface Metadata {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Given by the store when the resource is made: RFC 9562 text. */
  readonly uid?: string;
  /** Given by the store: RFC 3339, UTC, whole seconds. */
  readonly creationTimestamp?: string;
}

interface ResourceOf<K extends Kind, Spec> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: Spec;
}

export type IPPoolResource = ResourceOf<"IPPool", IPPoolSpec>;
export type IPReservationResource = ResourceOf<"IPReservation", IPReservationSpec>;
export type IPAMConfigurationResource = ResourceOf<"IPAMConfiguration", IPAMConfigurationSpec>;
export type BGPConfigurationResource = ResourceOf<"BGPConfiguration", BGPConfigurationSpec>;
export type BGPFilterResource = ResourceOf<"BGPFilter", BGPFilterSpec>;
export type BGPPeerResource = ResourceOf<"BGPPeer", BGPPeerSpec>;
export type NodeResource = ResourceOf<"Node", NodeSpec>;
export type Resource =
  | IPPoolResource
  | IPReservationResource
  | IPAMConfigurationResource
  | BGPConfigurationResource
  | BGPFilterResource
  | BGPPeerResource
  | NodeResource;

/** Everything that configures a node, at one moment. Each list is sorted by name. */
export interface ResourceSnapshot {
  readonly nodes: readonly NodeResource[];
  readonly bgpConfigurations: readonly BGPConfigurationResource[];
  readonly bgpFilters: readonly BGPFilterResource[];
  readonly bgpPeers: readonly BGPPeerResource[];
  readonly pools: readonly IPPoolResource[];
  readonly ipReservations: readonly IPReservationResource[];
  /** One at most: `default`. */
  readonly ipamConfigurations: readonly IPAMConfigurationResource[];
}
