/** Any kubeconfig, exec plugins and OIDC included. The only importer of @kubernetes/client-node. */
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { ReadKubeconfig } from "./kubeconfig.ts";

export async function readAny(path: string): Promise<ReadKubeconfig> {
  const config = new KubeConfig();
  config.loadFromFile(path);
  const [cluster, user] = [config.getCurrentCluster(), config.getCurrentUser()];
  if (cluster === null) throw new Error("current-context names no cluster of this file");
  if (!URL.canParse(cluster.server)) throw new Error(`${cluster.server} is not the URL of an API server`);
  if (cluster.proxyUrl !== undefined) throw new Error("proxy-url is not supported; reach the API server directly");
  const options: RequestOptions & { headers: Record<string, string> } = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, servername, rejectUnauthorized, auth, headers } = options;
  const tokenFile = (user?.authProvider?.config as { tokenFile?: string } | undefined)?.tokenFile;
  const basic = typeof auth === "string" ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  return {
    server: cluster.server,
    tls: {
      ...text("ca", ca),
      ...text("cert", cert),
      ...text("key", key),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    },
    headers: { ...lowerCase(headers), ...basic },
    ...(tokenFile !== undefined && { tokenFile }),
  };
}

/** PEM, read from a file as octets. */
function text(name: string, value: unknown): Record<string, string> {
  if (Buffer.isBuffer(value)) return { [name]: value.toString() };
  return typeof value === "string" ? { [name]: value } : {};
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]));
}
