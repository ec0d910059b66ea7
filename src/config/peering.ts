/** A BGPPeer with its selectors read once: which nodes have it, and which are its other side. */
import { matches, parseSelector } from "../../ipam/selector.ts";
import type { KnownNode } from "./cluster.ts";
import type { BGPPeerResource } from "./resource.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Peering {
  readonly resource: BGPPeerResource;
  readonly name: string;
  readonly type: "node specific" | "global";
  /** True when this node is one that has the peering. */
  from(node: KnownNode): boolean;
  /** True when the node is chosen as the other side. */
  to(node: KnownNode): boolean;
}

export function readPeering(resource: BGPPeerResource): Peering {
  const { node, nodeSelector = "", peerSelector = "" } = resource.spec;
  const named = node !== undefined && node !== "";
  const selects = labelTest(nodeSelector);
  const chooses = labelTest(peerSelector);
  return {
    resource,
    name: resource.metadata.name,
    type: named || nodeSelector !== "" ? "node specific" : "global",
    from: (candidate) => (named ? candidate.name === node : nodeSelector === "" || selects(candidate.labels)),
    to: (candidate) => chooses(candidate.labels),
  };
}

/** An expression that cannot be read (it was checked when it was written) chooses nothing. */
export function labelTest(expression: string): (labels: Labels) => boolean {
  if (expression === "") return () => false;
  const parsed = parseSelector(expression);
  return "selector" in parsed ? (labels) => matches(parsed.selector, labels) : () => false;
}
