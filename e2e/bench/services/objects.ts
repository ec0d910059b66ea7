/** Services and slices of a large cluster, as much of them as counts here. */

const NAMESPACE = "bench";

/** The services whose endpoints come and go on the node that is measured; the others only have to be known. */
export const watched = (n: number): string => `watched-${n}`;
export const watchedAddress = (n: number): string => `10.96.${200 + (n >> 8)}.${n & 255}`;

export function watchedService(n: number): object {
  return service(watched(n), watchedAddress(n), "Local");
}

/** Its endpoint on the node, or elsewhere. */
export function watchedSlice(n: number, node: string): object {
  return slice(`${watched(n)}-a`, watched(n), [node]);
}

export function* others(services: number, slicesEach: number): Generator<object> {
  for (let n = 0; n < services; n++) {
    yield service(`other-${n}`, `10.96.${n >> 8}.${n & 255}`, "Cluster");
    for (let part = 0; part < slicesEach; part++) yield otherSlice(n, part, 0);
  }
}

export function otherSlice(n: number, part: number, turn: number): object {
  const nodes = Array.from({ length: 10 }, (_, i) => `node-${(n * 7 + part * 10 + i + turn) % 5000}`);
  return slice(`other-${n}-${part}`, `other-${n}`, nodes);
}

function service(name: string, clusterIP: string, policy: string): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: NAMESPACE, name, labels: { app: name } },
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
      selector: { app: name },
      externalTrafficPolicy: policy,
    },
  };
}

function slice(name: string, of: string, nodes: readonly string[]): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: NAMESPACE, name, labels: { "kubernetes.io/service-name": of } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: nodes.map((nodeName, i) => ({
      addresses: [`10.244.${(i * 13) % 256}.${(name.length * 7 + i) % 254}`],
      nodeName,
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: "Pod", namespace: NAMESPACE, name: `${of}-${i}` },
    })),
  };
}
