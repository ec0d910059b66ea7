/** What a lab with an API server shows besides: a Service's address at the routers, from the nodes with endpoints. */
import { SERVICE_RANGES } from "./addressing.ts";
import { put } from "./kubernetes.ts";
import { type Lab, labName, labPods, nodeNamed } from "./lab.ts";
import { prove } from "./proofs.ts";
import { routerRoutes } from "./router.ts";
import type { PodRecord } from "./state.ts";
import type { RouterPlan } from "./topology.ts";
import type { Verdict } from "./verdict.ts";
import { until } from "./wait.ts";

const TIMEOUT_MS = 15_000;
const ADDRESS = (SERVICE_RANGES.ipv4[1] as string).replace(/0\/16$/, "80");
const NAMESPACE = "default";

export async function proveServices(lab: Lab, failed: string[]): Promise<void> {
  const [pod] = labPods(lab);
  if (lab.plan.size.kubernetes !== true || pod === undefined) return;
  await prove(
    lab,
    `a Service's ${ADDRESS} at every router, by ${pod.node} alone`,
    () => announced(lab, pod, [pod.node]),
    failed,
  );
  await prove(lab, `its last endpoint goes: ${ADDRESS} is withdrawn`, () => announced(lab, pod, []), failed);
}

async function announced(lab: Lab, pod: PodRecord, nodes: readonly string[]): Promise<Verdict> {
  await put(lab.plan, [service(), endpoints(nodes.length === 0 ? [] : [pod])]);
  const started = performance.now();
  await Promise.all(lab.plan.routers.map((router) => awaitNextHops(lab, router, nodes)));
  return { held: true, detail: `${Math.round(performance.now() - started)} ms` };
}

/** At the nodes' own router they are the next hops; behind it, that router is. */
function awaitNextHops(lab: Lab, router: RouterPlan, nodes: readonly string[]): Promise<true> {
  const here = nodes.map((name) => nodeNamed(lab.plan, name)).filter((node) => node.rack === router.rack);
  const hops = here.map(({ address }) => address.ipv4);
  return until(
    async () => {
      const routes = await routerRoutes(labName(lab), router);
      const route = routes.find(({ prefix }) => prefix === `${ADDRESS}/32`);
      if (nodes.length === 0) return route === undefined ? true : undefined;
      return route !== undefined && hops.every((hop) => route.nextHops.includes(hop)) ? true : undefined;
    },
    { what: `${ADDRESS} at ${router.name}`, timeoutMs: TIMEOUT_MS, signal: lab.signal, intervalMs: 50 },
  );
}

const service = (): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace: NAMESPACE, name: "greeter" },
  spec: { type: "LoadBalancer", ports: [{ port: 80 }], externalTrafficPolicy: "Local", clusterIP: "10.96.0.80" },
  status: { loadBalancer: { ingress: [{ ip: ADDRESS }] } },
});

const endpoints = (pods: readonly PodRecord[]): object => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { namespace: NAMESPACE, name: "greeter-1", labels: { "kubernetes.io/service-name": "greeter" } },
  addressType: "IPv4",
  ports: [{ port: 80 }],
  endpoints: pods.map(({ node, addresses }) => ({
    addresses: addresses.filter((address) => !address.includes(":")),
    nodeName: node,
    conditions: { ready: true },
  })),
});
