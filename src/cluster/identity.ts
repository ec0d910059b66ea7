/** Which cluster this is: the uid of its namespace kube-system, which lives as long as the cluster's store. */
import { type Cluster, ClusterError, NAMESPACES } from "./port.ts";

/** Undefined: there is no such namespace. Rejects with a ClusterError. */
export async function clusterIdentity(cluster: Cluster): Promise<string | undefined> {
  return (await cluster.get({ type: NAMESPACES, name: "kube-system" }))?.metadata.uid;
}

/** 403: no waiting helps, and the error says which right is wanted. */
export function isDenied(error: unknown): boolean {
  return error instanceof ClusterError && error.status === 403;
}
