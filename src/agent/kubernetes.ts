/** What the agent follows in Kubernetes, put together: nothing at all where there is no cluster. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/port.ts";
import type { Attachment } from "../cni/attachments.ts";
import { KubernetesNode, type KubernetesNodeOptions } from "./kubernetes-node.ts";
import { KubernetesPods } from "./kubernetes-pods.ts";

export interface Kubernetes {
  readonly node: KubernetesNode;
  readonly pods: KubernetesPods;
}

/** How long a start waits for what Kubernetes says of the node and its pods: with it, what is done first is right. */
const FIRST_LOOK_MS = 2_000;

export function followKubernetes(
  cluster: Cluster | undefined,
  options: Omit<KubernetesNodeOptions, "cluster">,
): Kubernetes | undefined {
  if (cluster === undefined) return undefined;
  const { nodeName, log } = options;
  return {
    node: new KubernetesNode({ ...options, cluster }),
    pods: new KubernetesPods({ cluster, nodeName, log, changed: () => undefined }),
  };
}

export async function firstLook(kubernetes: Kubernetes | undefined): Promise<void> {
  if (kubernetes === undefined) return;
  const { node, pods } = kubernetes;
  await Promise.race([Promise.all([node.firstLook, pods.firstLook]), sleep(FIRST_LOOK_MS, undefined, { ref: false })]);
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
