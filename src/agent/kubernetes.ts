/** What the agent follows in Kubernetes, put together: nothing at all where there is no cluster. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../ipam/store.ts";
import { clusterIdentity, isDenied } from "../cluster/identity.ts";
import type { Cluster } from "../cluster/port.ts";
import type { Attachment } from "../cni/attachments.ts";
import { ClusterClaim } from "../config/cluster-claim.ts";
import { KubernetesNode, type KubernetesNodeOptions } from "./kubernetes-node.ts";
import { KubernetesPods } from "./kubernetes-pods.ts";

export interface Kubernetes {
  readonly node: KubernetesNode;
  readonly pods: KubernetesPods;
  /** Whether etcd is this cluster's. */
  readonly claim: ClusterClaim;
}

/** How long a start waits for what Kubernetes says of the node and its pods: with it, what is done first is right. */
const FIRST_LOOK_MS = 2_000;

/** How long an agent that is told to stop goes on, in case that it is because the machine goes down. */
const LAST_LOOK_MS = 800;
const LAST_LOOK_STEP_MS = 20;

export function followKubernetes(
  cluster: Cluster | undefined,
  options: Omit<KubernetesNodeOptions, "cluster"> & { readonly store: Store; readonly podsChanged: () => void },
): Kubernetes | undefined {
  if (cluster === undefined) return undefined;
  const { nodeName, log, store, podsChanged: changed } = options;
  return {
    node: new KubernetesNode({ ...options, cluster }),
    pods: new KubernetesPods({ cluster, nodeName, log, changed }),
    claim: new ClusterClaim({
      store,
      by: `the agent of ${nodeName}`,
      identity: () => clusterIdentity(cluster),
      isDenied,
      error: (problem) => log.error(problem),
    }),
  };
}

/** Until then nothing is written to etcd: it may be another cluster's, and then this goes on until it is not. */
export async function firstLook(kubernetes: Kubernetes | undefined): Promise<void> {
  if (kubernetes === undefined) return;
  const { node, pods, claim } = kubernetes;
  await Promise.race([Promise.all([node.firstLook, pods.firstLook]), sleep(FIRST_LOOK_MS, undefined, { ref: false })]);
  await claim.settle();
}

/**
 * kubelet ends an agent on a machine that goes down as soon as it has said so of the Node: hardly later than the Node
 * is heard of. True: it is said.
 */
export async function lastLook(kubernetes: Kubernetes | undefined): Promise<boolean> {
  if (kubernetes?.node.synced !== true) return false;
  const end = performance.now() + LAST_LOOK_MS;
  while (kubernetes.node.view?.shutsDown !== true && performance.now() < end) await sleep(LAST_LOOK_STEP_MS);
  return kubernetes.node.view?.shutsDown === true;
}

/** Of the pods wired here, those that may still move elsewhere, by name. */
export function movablePods(attachments: readonly Attachment[], pods: KubernetesPods | undefined): string[] {
  const names = attachments.flatMap(({ namespace, pod, uid, containerID }) => {
    if (pods === undefined || pod === "") return pod === "" ? `container ${containerID}` : `${namespace}/${pod}`;
    const known = pods.pods.get(`${namespace}/${pod}`);
    const stays = known?.stays === true || known?.phase === "Succeeded" || known?.phase === "Failed";
    return stays || pods.isGone(namespace, pod, uid) ? [] : `${namespace}/${pod}`;
  });
  return [...new Set(names)].sort();
}

export function kubernetesSays(kubernetes: Kubernetes | undefined) {
  if (kubernetes === undefined) return { problems: [], notReady: [] };
  const { node, pods, claim } = kubernetes;
  const words = claim.problem === undefined ? [] : [claim.problem];
  return {
    problems: [...words, ...node.problems, ...pods.problems],
    notReady: claim.state === "another's" ? words : [],
  };
}
