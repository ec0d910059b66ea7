/** What a large cluster's API server has, as heavy as it is in real ones: managedFields, conditions and all. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";

export interface Size {
  /** The node that is measured: some of the endpoints are there. */
  readonly here: string;
  readonly nodes: number;
  readonly services: number;
  readonly slicesPerService: number;
  readonly endpointsPerSlice: number;
  readonly namespaces: number;
}

export const LARGE: Omit<Size, "here"> = {
  nodes: 5_000,
  services: 5_000,
  slicesPerService: 4,
  endpointsPerSlice: 10,
  namespaces: 200,
};

export const nodeName = (n: number) => `rack${Math.floor(n / 40)}-node${n % 40}.dc1.example.net`;

/** One JSON document a line. */
export async function writeObjects(path: string, size: Size): Promise<void> {
  const file = createWriteStream(path);
  for (const object of objectsOf(size)) {
    if (!file.write(`${JSON.stringify(object)}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
}

function* objectsOf(size: Size): Generator<object> {
  for (let n = 0; n < size.namespaces; n++) yield namespace(n);
  for (let n = 0; n < size.services; n++) {
    yield serviceOf(n, size);
    for (let part = 0; part < size.slicesPerService; part++) yield sliceOf(n, part, size);
  }
}

const TIME = "2026-03-01T08:00:00Z";

function managed(manager: string, fields: readonly string[]): object {
  const fieldsV1 = Object.fromEntries(fields.map((field) => [`f:${field}`, { ".": {}, "f:value": {} }]));
  return { manager, operation: "Update", apiVersion: "v1", time: TIME, fieldsType: "FieldsV1", fieldsV1 };
}

function namespace(n: number): object {
  const name = `team-${n}`;
  const labels = { "kubernetes.io/metadata.name": name, team: String(n % 20) };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels }, status: { phase: "Active" } };
}

const serviceName = (n: number) => `service-${n}`;
const teamOf = (n: number, size: Size) => `team-${n % size.namespaces}`;

export function serviceOf(n: number, size: Size, round = 0): object {
  const loadBalanced = n % 10 === 0;
  const ip = `10.${96 + (n >> 14)}.${(n >> 7) & 127}.${(n & 127) + 1}`;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...{ name: serviceName(n), namespace: teamOf(n, size), labels: { app: serviceName(n), tier: "backend" } },
      annotations: {
        "meta.helm.sh/release-name": serviceName(n),
        "meta.helm.sh/release-namespace": teamOf(n, size),
        ...(round > 0 && { "example.net/round": String(round) }),
      },
      managedFields: [managed("helm", ["ports", "selector", "type", "labels", "annotations"])],
    },
    spec: {
      ...{ type: loadBalanced ? "LoadBalancer" : "ClusterIP", clusterIP: ip, clusterIPs: [ip] },
      ...{ ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", sessionAffinity: "None" },
      ...{ selector: { app: serviceName(n) }, internalTrafficPolicy: "Cluster" },
      ...(loadBalanced && { externalTrafficPolicy: n % 20 === 0 ? "Local" : "Cluster" }),
      ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: loadBalanced ? { ingress: [{ ip: `203.0.${(n >> 8) & 255}.${n & 255}` }] } : {} },
  };
}

export function sliceOf(n: number, part: number, size: Size, round = 0): object {
  const endpoints = Array.from({ length: size.endpointsPerSlice }, (_, i) => {
    const at = (n * 31 + part * 7 + i * 131) % Math.max(1, size.nodes);
    const ready = !(round > 0 && i === round % size.endpointsPerSlice);
    return {
      addresses: [`10.${128 + (at >> 8)}.${at & 255}.${(i * 17 + part) & 255}`],
      conditions: { ready, serving: ready, terminating: false },
      nodeName: at === 1 ? size.here : nodeName(at),
      targetRef: {
        ...{ kind: "Pod", namespace: teamOf(n, size), name: `${serviceName(n)}-7d4b9c-${part}${i}` },
        uid: `5f0c1a2b-0000-4000-8000-${String(n * 100 + part * 10 + i).padStart(12, "0")}`,
      },
    };
  });
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      ...{ name: `${serviceName(n)}-${part}`, namespace: teamOf(n, size) },
      labels: {
        "kubernetes.io/service-name": serviceName(n),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
      },
      managedFields: [managed("kube-controller-manager", ["addressType", "endpoints", "ports", "labels"])],
    },
    ...{ addressType: "IPv4", endpoints, ports: [{ name: "http", protocol: "TCP", port: 8080 }] },
  };
}
