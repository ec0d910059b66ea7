/** A node's own entry: what its agent knows about it, written over what others may have added. */
import { type AddressWithLength, formatPrefix } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import type { AgentConfig } from "./agent-config.ts";
import type { SourcedResource } from "./manifest.ts";
import type { NodeResource } from "./resource.ts";
import { applyResources, getResources } from "./resource-store.ts";
import { checkDocument } from "./schema/document.ts";
import { pathText } from "./schema/problem.ts";

/** The part of the agent's configuration that other nodes see; addresses are given once detected. */
export interface NodeFacts extends Pick<AgentConfig, "nodeName" | "labels" | "asNumber"> {
  readonly ipv4Address?: AddressWithLength;
  readonly ipv6Address?: AddressWithLength;
}

export type Registered =
  | { readonly outcome: "created" | "configured" | "unchanged" }
  /** Why it cannot be: another node has the address, or a label cannot be one. */
  | { readonly refusals: readonly string[] };

/**
 * Writes the Node resource. Labels and fields that the agent says nothing about stay as they are; an address it no
 * longer has goes. Rejects with StoreUnavailable when the store does not answer.
 */
export async function registerNode(store: Store, facts: NodeFacts): Promise<Registered> {
  const { resources } = await getResources(store, "Node", [facts.nodeName]);
  const checked = checkDocument(merged(resources[0] as NodeResource | undefined, facts));
  if ("problems" in checked) {
    return { refusals: checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`) };
  }
  const name = `Node ${facts.nodeName}`;
  const item: SourcedResource = {
    resource: checked.resource,
    file: name,
    line: 0,
    fault: (path, message) => ({ file: name, line: 0, field: pathText(path), message }),
  };
  const applied = await applyResources(store, [item]);
  if ("faults" in applied) return { refusals: applied.faults.map(({ field, message }) => `${field}: ${message}`) };
  return { outcome: applied.outcomes[0]?.outcome as "created" | "configured" | "unchanged" };
}

function merged(before: NodeResource | undefined, facts: NodeFacts): unknown {
  const { ipv4Address: _4, ipv6Address: _6, ...kept } = before?.spec.bgp ?? {};
  const bgp = {
    ...kept,
    ...(facts.asNumber !== undefined && { asNumber: facts.asNumber }),
    ...(facts.ipv4Address !== undefined && { ipv4Address: formatPrefix(facts.ipv4Address) }),
    ...(facts.ipv6Address !== undefined && { ipv6Address: formatPrefix(facts.ipv6Address) }),
  };
  return {
    apiVersion: "overland.dev/v1",
    kind: "Node",
    metadata: {
      name: facts.nodeName,
      labels: { ...before?.metadata.labels, ...facts.labels },
      annotations: before?.metadata.annotations,
    },
    spec: { ...before?.spec, ...(Object.keys(bgp).length > 0 ? { bgp } : { bgp: undefined }) },
  };
}
