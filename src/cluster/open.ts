/** Opens the API server; connects with the first call, so this never waits. */
import { readFileSync } from "node:fs";
import { ApiServer } from "./api-server.ts";
import { SERVICE_ACCOUNT, ServiceAccount } from "./credentials.ts";
import { Kubeconfig } from "./kubeconfig.ts";
import type { Cluster } from "./port.ts";
import type { Warn } from "./reflector.ts";
import { KeptConnections } from "./transport.ts";

const NAMESPACE = "overland-system";

export interface ClusterOptions {
  /** Path; undefined: the pod's service account. */
  readonly kubeconfig?: string;
  /** Of Overland's own objects. Undefined: the service account's, else overland-system. */
  readonly namespace?: string;
  readonly warn?: Warn;
}

export function openCluster({ kubeconfig, namespace, warn }: ClusterOptions): Cluster {
  const credentials = kubeconfig === undefined ? new ServiceAccount(process.env) : new Kubeconfig(kubeconfig);
  const own = namespace ?? (kubeconfig === undefined ? ownNamespace() : undefined) ?? NAMESPACE;
  return new ApiServer(new KeptConnections(credentials), own, warn === undefined ? {} : { warn });
}

function ownNamespace(): string | undefined {
  try {
    return readFileSync(`${SERVICE_ACCOUNT}/namespace`, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
