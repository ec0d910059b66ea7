/** What a Kubernetes Node says to the agent on it: labels, settings in annotations, and what is to become of it. */
import { type Address, formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { type AddressWithLength, parseAddressWithLength } from "../../ipam/net/prefix.ts";
import type { KubeObject } from "../cluster/port.ts";
import { type NodeAnnotations, readNodeAnnotations } from "../config/node-annotations.ts";
import type { KubernetesFacts } from "../config/node-registration.ts";
import type { Link } from "../kernel/links.ts";

export interface NodeObject extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[] };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly NodeCondition[];
  };
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** Plain data, so that a heartbeat can be told from a change. */
export interface KubernetesNodeView {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly settings: NodeAnnotations;
  /** Of type InternalIP, as texts that parse. */
  readonly internalAddresses: readonly string[];
  readonly unschedulable: boolean;
  /** kubelet says that the machine goes down. */
  readonly shutsDown: boolean;
  /** node.kubernetes.io/out-of-service: an operator says that it is down. */
  readonly outOfService: boolean;
  /** The taint that waits for us is there. */
  readonly agentTaint: boolean;
  /** NetworkUnavailable. */
  readonly network?: Required<NodeCondition>;
}

/** With it a node can join (kubelet --register-with-taints) without getting pods before it can carry their traffic. */
export const AGENT_TAINT = "overland.dev/agent-not-ready";
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";
const NETWORK = "NetworkUnavailable";

export function readNode({ metadata, spec = {}, status = {} }: NodeObject): KubernetesNodeView {
  const { uid = "", labels = {}, annotations = {} } = metadata;
  const { taints = [], unschedulable = false } = spec;
  const { addresses = [], conditions = [] } = status;
  const network = conditions.find(({ type }) => type === NETWORK);
  return {
    ...{ uid, labels, unschedulable },
    settings: readNodeAnnotations(annotations),
    internalAddresses: addresses
      .filter(({ type, address }) => type === "InternalIP" && parseAddress(address) !== undefined)
      .map(({ address }) => address),
    shutsDown: conditions.some(isShutdown),
    outOfService: taints.some(({ key }) => key === OUT_OF_SERVICE),
    agentTaint: taints.some(({ key }) => key === AGENT_TAINT),
    ...(network !== undefined && { network: conditionOf(network.status, network.reason, network.message) }),
  };
}

export function conditionOf(status: string, reason = "", message = ""): Required<NodeCondition> {
  return { type: NETWORK, status, reason, message };
}

/** kubelet's graceful node shutdown (KEP-2000) says so in the Ready condition before it ends the first pod. */
function isShutdown({ type, status, message = "" }: NodeCondition): boolean {
  return type === "Ready" && status !== "True" && message.includes("node is shutting down");
}

export function kubernetesFacts({
  uid,
  labels,
  settings: { asNumber, clusterID },
}: KubernetesNodeView): KubernetesFacts {
  return { uid, labels, ...(asNumber !== undefined && { asNumber }), ...(clusterID !== undefined && { clusterID }) };
}

/**
 * The address that an annotation gives to this node, with the length of its link where it says none. Only one that the
 * node has: Calico's annotations outlive it, and the address they had.
 */
export function annotated(text: string | undefined, links: readonly Link[]): AddressWithLength | undefined {
  if (text === undefined) return undefined;
  const wanted = formatAddress((parseAddressWithLength(text)?.address ?? parseAddress(text)) as Address);
  return links.flatMap(({ addresses }) => addresses).find(({ address }) => formatAddress(address) === wanted);
}
