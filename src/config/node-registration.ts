/** A node's own entry: what its agent knows about it, written over what others may have added. */
import { isDeepStrictEqual } from "node:util";
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
  /** Of the Kubernetes Node; absent: not known now, and what it said before stays. */
  readonly kubernetes?: KubernetesFacts;
}

/** The agent's own configuration goes before them. */
export interface KubernetesFacts {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly asNumber?: number;
  readonly clusterID?: string;
}

/** The uid of the Kubernetes Node that this one is. */
const KUBERNETES_NODE = "overland.dev/kubernetes-node";
/** Names of labels, and of fields in spec.bgp, that came from there: they go with those there. Commas between. */
const KUBERNETES_LABELS = "overland.dev/kubernetes-labels";
const KUBERNETES_FIELDS = "overland.dev/kubernetes-fields";

export type Registered =
  | { readonly outcome: "created" | "configured" | "unchanged" }
  /** Why it cannot be: another node has the address, or a label cannot be one. */
  | { readonly refusals: readonly string[] };

/**
 * Writes the Node resource. Labels and fields that the agent says nothing about stay as they are; an address it no
 * longer has goes, and so does what the Kubernetes Node said before and no longer says. Rejects with StoreUnavailable
 * when the store does not answer.
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

/** Whether a Node resource says otherwise than the agent, in what the agent has a say in and knows. */
export function differs(own: NodeResource, facts: NodeFacts): boolean {
  const { ipv4Address, ipv6Address } = facts;
  const { bgp } = own.spec;
  // An address that cannot be seen for a moment, since its link is down, stays.
  if (ipv4Address !== undefined && bgp?.ipv4Address !== formatPrefix(ipv4Address)) return true;
  if (ipv6Address !== undefined && bgp?.ipv6Address !== formatPrefix(ipv6Address)) return true;
  const { metadata, spec } = merged(own, facts);
  return !(
    isDeepStrictEqual(metadata.labels, own.metadata.labels ?? {}) &&
    isDeepStrictEqual(metadata.annotations, own.metadata.annotations ?? {}) &&
    spec.bgp?.asNumber === bgp?.asNumber &&
    spec.bgp?.routeReflectorClusterID === bgp?.routeReflectorClusterID
  );
}

function merged(before: NodeResource | undefined, facts: NodeFacts) {
  const { ipv4Address: _4, ipv6Address: _6, ...rest } = before?.spec.bgp ?? {};
  const fromKubernetes = ofKubernetes(before, facts);
  const kept = without(rest, fromKubernetes.fieldsGone);
  const bgp = {
    ...kept,
    ...fromKubernetes.fields,
    ...(facts.asNumber !== undefined && { asNumber: facts.asNumber }),
    ...(facts.ipv4Address !== undefined && { ipv4Address: formatPrefix(facts.ipv4Address) }),
    ...(facts.ipv6Address !== undefined && { ipv6Address: formatPrefix(facts.ipv6Address) }),
  };
  const labels = without(before?.metadata.labels ?? {}, fromKubernetes.labelsGone);
  return {
    apiVersion: "overland.dev/v1",
    kind: "Node",
    metadata: {
      name: facts.nodeName,
      labels: { ...labels, ...facts.kubernetes?.labels, ...facts.labels },
      annotations: { ...before?.metadata.annotations, ...fromKubernetes.marks },
    },
    spec: { ...before?.spec, ...(Object.keys(bgp).length > 0 ? { bgp } : { bgp: undefined }) },
  };
}

/** What Kubernetes says and what it no longer says. */
function ofKubernetes(before: NodeResource | undefined, { kubernetes }: NodeFacts) {
  if (kubernetes === undefined) return { fields: {}, fieldsGone: [], labelsGone: [], marks: {} };
  const { uid, labels, asNumber, clusterID } = kubernetes;
  const fields = {
    ...(asNumber !== undefined && { asNumber }),
    ...(clusterID !== undefined && { routeReflectorClusterID: clusterID }),
  };
  const marked = (name: string) => (before?.metadata.annotations?.[name] ?? "").split(",");
  const list = (map: object) => Object.keys(map).sort().join(",");
  return {
    fields,
    fieldsGone: marked(KUBERNETES_FIELDS),
    labelsGone: marked(KUBERNETES_LABELS),
    marks: {
      [KUBERNETES_NODE]: uid,
      [KUBERNETES_LABELS]: list(labels),
      [KUBERNETES_FIELDS]: list(fields),
    },
  };
}

function without<T extends object>(map: T, names: readonly string[]): Partial<T> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name))) as Partial<T>;
}
