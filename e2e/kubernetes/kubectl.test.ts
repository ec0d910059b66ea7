/** A real kubectl against the API server of the tests, as operators type it. */

import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ask } from "../harness/api-client.ts";
import { ApiServer } from "../harness/api-server.ts";
import { eventually } from "../harness/wait.ts";

let server: ApiServer;
/** Debian 12 has 1.20. */
let kubectlMinor = 0;
const kubectl = (line: string, input?: string): Promise<string> =>
  server.mustKubectl(line.split(" "), input === undefined ? {} : { input });
const patchStatus = (path: string, status: object) =>
  ask(server, "PATCH", `${path}/status`, { body: { status }, type: "application/merge-patch+json" });
const refused = async (line: string, input = ""): Promise<string> => {
  const { code, stderr } = await server.kubectl(line.split(" "), { input });
  expect(code).not.toBe(0);
  return stderr;
};

const NODE = `
apiVersion: v1
kind: Node
metadata: {name: r1n1, labels: {rack: r1}}
`;
const APP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, loadBalancerClass: example.com/lb, selector: {app: web}, ports: [{port: 80, name: http}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
spec: {nodeName: r1n1, containers: [{name: web, image: "web:1"}]}
`;
const POOLS = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pools.test.overland.dev}
spec:
  group: test.overland.dev
  scope: Cluster
  names: {plural: pools, singular: pool, kind: Pool, listKind: PoolList, shortNames: [pl], categories: [overland]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: CIDR, type: string, jsonPath: .spec.cidr}
    - {name: Accepted, type: string, jsonPath: '.status.conditions[?(@.type=="Accepted")].status'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What addresses come from.
            required: [cidr]
            properties: {cidr: {type: string, description: A prefix.}, size: {type: integer, minimum: 1}}
          status:
            type: object
            properties:
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}, reason: {type: string}}}
`;
const pool = (name: string, spec: string): string =>
  `apiVersion: test.overland.dev/v1\nkind: Pool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

beforeAll(async () => {
  server = await ApiServer.start({ words: ["--reap-pods"] });
  const version = JSON.parse(await kubectl("version --client -o json")) as { clientVersion: { minor: string } };
  kubectlMinor = Number.parseInt(version.clientVersion.minor, 10);
  await kubectl("apply -f -", POOLS);
  await kubectl("wait --for=condition=Established crd/pools.test.overland.dev --timeout=10s");
});
afterAll(() => server.remove());

describe("kubectl with built-in kinds", () => {
  it("applies, finds nothing to do the second time, and applies a change", async () => {
    expect(await kubectl("apply -f -", NODE)).toContain("node/r1n1 created");
    expect(await kubectl("apply -f -", NODE)).toContain("node/r1n1 unchanged");
    expect(await kubectl("apply -f -", NODE.replace("rack: r1", "rack: r2"))).toContain("node/r1n1 configured");
    expect(await kubectl("get node r1n1 -o jsonpath={.metadata.labels.rack}")).toBe("r2");
    expect(await kubectl("apply -f -", APP)).toMatch(
      /namespace\/shop created\nservice\/web created\npod\/web-0 created/,
    );
  });

  it("prints its tables", async () => {
    expect(await kubectl("get svc -n shop")).toMatch(
      /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +LoadBalancer +10\.96\.0\.\d+ +<pending> +80:3\d{4}\/TCP +\d+s\n$/,
    );
    expect(await kubectl("get pods -A -o wide")).toMatch(/shop +web-0 +0\/1 +Pending +0 +\d+s +<none> +r1n1/);
    expect(await kubectl("get all -n shop -o name")).toBe("pod/web-0\nservice/web\n");
  });

  it("labels, annotates, patches, cordons, taints", async () => {
    await kubectl("label node r1n1 zone=a --overwrite");
    await kubectl("annotate node r1n1 overland.dev/as-number=64512");
    await kubectl("cordon r1n1");
    await kubectl("taint node r1n1 overland.dev/agent-not-ready:NoSchedule");
    expect(await kubectl("get nodes")).toMatch(/r1n1 +Unknown,SchedulingDisabled/);
    const described = await kubectl("describe node r1n1");
    expect(described).toMatch(/Taints: +overland\.dev\/agent-not-ready:NoSchedule/);
    expect(described).toMatch(/Annotations: .*\n? +overland\.dev\/as-number: 64512/);
    await kubectl("taint node r1n1 overland.dev/agent-not-ready:NoSchedule-");
    await kubectl("uncordon r1n1");
    expect(await kubectl("get node r1n1 -o jsonpath={.spec}")).toBe("{}");
  });

  it("describes a Service with its slices, and shows events", async () => {
    await kubectl(
      "apply -f -",
      `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"web-1","namespace":"shop",` +
        `"labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","port":80}],` +
        `"endpoints":[{"addresses":["10.1.0.1"],"conditions":{"ready":true}}]}`,
    );
    expect(await kubectl("get endpointslices -n shop")).toMatch(/web-1 +IPv4 +80 +10\.1\.0\.1/);
    const uid = await kubectl("get svc web -n shop -o jsonpath={.metadata.uid}");
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "web.1", namespace: "shop" },
      involvedObject: { kind: "Service", namespace: "shop", name: "web", uid },
      ...{ type: "Warning", reason: "Refused", message: "spec: no such pool", source: { component: "overland" } },
      ...{ firstTimestamp: new Date().toISOString(), lastTimestamp: new Date().toISOString(), count: 1 },
    };
    await server.put(event);
    expect(await kubectl("describe svc web -n shop")).toMatch(/Warning +Refused +\S+ +overland +spec: no such pool/);
    expect(await kubectl("get events -n shop")).toMatch(/Warning +Refused +service\/web +spec: no such pool/);
  });

  it("waits, watches and deletes", async () => {
    const seen = spawn("kubectl", [
      "--kubeconfig",
      server.kubeconfig,
      "get",
      "pods",
      "-n",
      "shop",
      "-w",
      "--no-headers",
    ]);
    try {
      let text = "";
      seen.stdout.on("data", (part: Buffer) => (text += part.toString()));
      await eventually("the watch shows the pod", 10, () => /web-0 +0\/1 +Pending/.test(text));
      await patchStatus("/api/v1/namespaces/shop/pods/web-0", { phase: "Running" });
      await eventually("the watch shows the change", 10, () => /web-0 +0\/1 +Running/.test(text));
      await kubectl("delete pod web-0 -n shop --grace-period=1");
      await eventually("the watch shows its end", 10, () => /web-0 +0\/1 +Terminating/.test(text));
    } finally {
      seen.kill();
    }
    expect(await refused("get pod web-0 -n shop")).toContain('Error from server (NotFound): pods "web-0" not found');
  });

  it("drains a node", async () => {
    await kubectl("apply -f -", APP);
    expect(await kubectl("drain r1n1 --force --grace-period=1 --timeout=20s")).toMatch(
      /pod\/web-0 evicted\nnode\/r1n1 (?:drained|evicted)/,
    );
  });
});

describe("kubectl with a custom kind", () => {
  it("knows its names, columns, conditions and description", async () => {
    await kubectl("apply -f -", pool("a", "{cidr: 10.0.0.0/8, size: 3}"));
    const conditions = [{ type: "Accepted", status: "False", reason: "Overlap" }];
    await patchStatus("/apis/test.overland.dev/v1/pools/a", { conditions });
    expect(await kubectl("get pl")).toMatch(/^NAME +CIDR +ACCEPTED +AGE\na +10\.0\.0\.0\/8 +False +\d+s\n$/);
    expect(await kubectl("get overland -o name")).toBe("pool.test.overland.dev/a\n");
    expect(await kubectl("wait --for=condition=Accepted=False pool/a --timeout=5s")).toContain("condition met");
    // Before 1.27 it goes by /openapi/v2, which has no schemas here.
    if (kubectlMinor >= 27) expect(await kubectl("explain pool.spec")).toContain("What addresses come from.");
    expect(await kubectl("describe pool a")).toMatch(/Reason: +Overlap/);
  });

  it("is told in words what is wrong: an unknown field, a value out of bounds, a missing one", async () => {
    // Before 1.25 it does not ask for strictness: the server warns.
    const { stderr } = await server.kubectl(["apply", "-f", "-"], { input: pool("b", "{cidr: x, sise: 3}") });
    expect(stderr).toContain('unknown field "spec.sise"');
    expect(await refused("apply -f -", pool("b", "{cidr: x, size: 0}"))).toContain(
      "should be greater than or equal to 1",
    );
    expect(await refused("apply -f -", pool("b", "{size: 1}"))).toContain("spec.cidr: Required value");
  });

  it("applies on the server's side too", async () => {
    await kubectl("apply --server-side -f -", pool("c", "{cidr: 10.1.0.0/16, size: 1}"));
    await kubectl("apply --server-side -f -", pool("c", "{cidr: 10.1.0.0/16}"));
    expect(await kubectl("get pool c -o jsonpath={.spec}")).toBe('{"cidr":"10.1.0.0/16"}');
    expect(await refused("apply --server-side --field-manager=other -f -", pool("c", "{cidr: 10.2.0.0/16}"))).toContain(
      'conflict with "kubectl": .spec.cidr',
    );
  });
});

describe("kubectl and rights", () => {
  it("makes roles, bindings and tokens, and is told what it may", async () => {
    await kubectl("create serviceaccount agent");
    await kubectl("create clusterrole agent --verb=get,list,watch --resource=nodes,pools.test.overland.dev");
    await kubectl("create clusterrolebinding agent --clusterrole=agent --serviceaccount=default:agent");
    const token =
      kubectlMinor < 24 ? await server.serviceAccount("default/agent") : (await kubectl("create token agent")).trim();
    const kubeconfig = server.kubeconfigOf("agent", token);
    const as = async (line: string) => (await server.kubectl(line.split(" "), { kubeconfig })).stdout.trim();
    expect(await as("auth can-i list nodes")).toBe("yes");
    expect(await as("auth can-i watch pools.test.overland.dev")).toBe("yes");
    expect(await as("auth can-i delete nodes")).toBe("no");
    if (kubectlMinor >= 28) expect(await as("auth whoami")).toContain("system:serviceaccount:default:agent");
    expect(await as("get nodes -o name")).toBe("node/r1n1");
    expect((await server.kubectl(["get", "secrets"], { kubeconfig })).stderr).toContain("Forbidden");
  });

  it("goes by a client certificate as well as by a token", async () => {
    const kubeconfig = await server.certificateKubeconfig("admin", "system:masters");
    expect(await server.mustKubectl(["get", "nodes", "-o", "name"], { kubeconfig })).toBe("node/r1n1\n");
  });
});
