/** `overland cluster`: which Kubernetes cluster etcd belongs to. */
import type { Store } from "../../ipam/store.ts";
import { CLUSTER_KEY, recordedCluster } from "../config/cluster-claim.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { print } from "./terminal.ts";

export async function showCluster(options: OptionValues): Promise<void> {
  const forget = options["forget"] === true;
  const cluster = await withStore(options, (store) => (forget ? forgotten(store) : recordedCluster(store)));
  if (options["output"] === "json") return print(`${JSON.stringify(cluster ?? null, null, 2)}\n`);
  if (cluster === undefined) return print("etcd belongs to no Kubernetes cluster.");
  const words = `uid of kube-system ${cluster.uid}, recorded by ${cluster.by}, ${cluster.since}`;
  print(forget ? `Forgotten: ${words}. The next agent or controller to come records its own.` : words);
}

async function forgotten(store: Store) {
  const cluster = await recordedCluster(store);
  await store.commit({ expect: [], put: [], delete: [CLUSTER_KEY] });
  return cluster;
}
