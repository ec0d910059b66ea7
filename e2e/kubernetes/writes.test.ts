/** Writes: what is refused and with which words, what is filled in, what deletion does, who owns a field. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type Answer, type Anything, ask, get, WatchLines } from "../harness/api-client.ts";
import { ApiServer } from "../harness/api-server.ts";
import { eventually } from "../harness/wait.ts";

const [PODS, MAPS, SERVICES, SECRETS] = ["pods", "configmaps", "services", "secrets"].map(
  (plural) => `/api/v1/namespaces/default/${plural}`,
) as [string, string, string, string];
const NODES = "/api/v1/nodes";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

let server: ApiServer;

beforeAll(async () => {
  server = await ApiServer.start({ words: ["--service-cidr", "10.96.0.0/24,fd00:96::/120"] });
});
beforeEach(async () => {
  for (const path of [MAPS, PODS, SERVICES, SECRETS, NODES, SLICES, LEASES]) {
    await ask(server, "DELETE", `${path}?gracePeriodSeconds=0`);
  }
});
afterAll(() => server.remove());

const post = (path: string, body: object): Promise<Answer> => ask(server, "POST", path, { body });
const put = (path: string, body: object): Promise<Answer> => ask(server, "PUT", path, { body });
const patch = (path: string, body: object, how = "merge-patch+json"): Promise<Answer> =>
  ask(server, "PATCH", path, { body, type: `application/${how}` });
const named = (name: string, more: object = {}) => ({ metadata: { name }, ...more });
const pod = (name: string, nodeName?: string) =>
  named(name, { spec: { nodeName, containers: [{ name: "c", image: "i:1" }] } });
const service = (name: string, spec: object = {}) => named(name, { spec: { ports: [{ port: 80 }], ...spec } });

describe("create", () => {
  it("fills in uid, time and version; a name by generateName", async () => {
    const { code, json } = await post(MAPS, { metadata: { generateName: "a-" } });
    expect(code).toBe(201);
    expect(json.metadata.name).toMatch(/^a-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(json.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(json.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it.each([
    ["a second of the name", MAPS, named("there"), 409, "AlreadyExists", /^configmaps "there" already exists$/],
    ["no name", MAPS, { metadata: {} }, 422, "Invalid", /name or generateName is required/],
    ["a name that is none", MAPS, named("No_Name"), 422, "Invalid", /metadata.name: Invalid value: "No_Name"/],
    [
      "another namespace",
      MAPS,
      { metadata: { name: "a", namespace: "b" } },
      400,
      "BadRequest",
      /does not match the namespace/,
    ],
    [
      "another kind",
      MAPS,
      { kind: "Secret", apiVersion: "v1", ...named("a") },
      400,
      "BadRequest",
      /cannot be handled as a ConfigMap/,
    ],
    [
      "labels that are no texts",
      MAPS,
      { metadata: { name: "a", labels: { n: 1 } } },
      400,
      "BadRequest",
      /cannot unmarshal/,
    ],
    [
      "no such namespace",
      MAPS.replace("default", "none"),
      named("a"),
      404,
      "NotFound",
      /^namespaces "none" not found$/,
    ],
    ["a pod without containers", PODS, named("p", { spec: {} }), 422, "Invalid", /spec.containers: Required value/],
    [
      "a version of its own",
      MAPS,
      { metadata: { name: "a", resourceVersion: "1" } },
      500,
      undefined,
      /should not be set/,
    ],
    [
      "a label that is none",
      MAPS,
      { metadata: { name: "a", labels: { a: "b/c" } } },
      422,
      "Invalid",
      /a valid label must be/,
    ],
    [
      "an annotation's key",
      MAPS,
      { metadata: { name: "a", annotations: { "a b": "" } } },
      422,
      "Invalid",
      /metadata.annotations/,
    ],
    [
      "a taint without effect",
      NODES,
      named("n", { spec: { taints: [{ key: "a" }] } }),
      422,
      "Invalid",
      /taints\[0\].effect/,
    ],
  ])("refuses %s", async (_, path, body, code, reason, message) => {
    await post(MAPS, named("there"));
    const { json, ...answer } = await post(path, body);
    expect(answer.code).toBe(code);
    expect(json).toMatchObject({ kind: "Status", status: "Failure", code });
    expect(json.reason).toBe(reason);
    expect(json.message).toMatch(message);
  });

  it("a status is dropped, but a node's own kubelet may bring one", async () => {
    const made = await post(PODS, { ...pod("p"), status: { phase: "Running" } });
    expect(made.json.status).toEqual({ phase: "Pending", qosClass: "BestEffort" });
    const node = await post(
      NODES,
      named("n", { status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] } }),
    );
    expect(node.json.status.addresses).toHaveLength(1);
  });

  it("dryRun=All shows what would be and keeps nothing", async () => {
    expect((await post(`${MAPS}?dryRun=All`, named("a"))).code).toBe(201);
    expect((await get(server, `${MAPS}/a`)).code).toBe(404);
  });

  it("a Secret's stringData becomes data", async () => {
    const { json } = await post(SECRETS, named("s", { stringData: { password: "x" } }));
    expect(json).toMatchObject({ data: { password: "eA==" }, type: "Opaque" });
    expect(json).not.toHaveProperty("stringData");
  });
});

describe("services", () => {
  it("get addresses of the wished families, and node ports where these are wanted", async () => {
    const one = (await post(SERVICES, service("one"))).json.spec;
    expect(one).toMatchObject({ type: "ClusterIP", ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" });
    expect(one.clusterIP).toMatch(/^10\.96\.0\.\d+$/);
    const two = (await post(SERVICES, service("two", { ipFamilyPolicy: "PreferDualStack", type: "LoadBalancer" }))).json
      .spec;
    expect(two.clusterIPs).toEqual([expect.stringMatching(/^10\.96\.0\./), expect.stringMatching(/^fd00:96::/)]);
    expect(two.ports[0]).toMatchObject({ protocol: "TCP", targetPort: 80, nodePort: expect.any(Number) });
    expect(two.externalTrafficPolicy).toBe("Cluster");
    expect(new Set([one.clusterIP, ...two.clusterIPs]).size).toBe(3);
    const none = (await post(SERVICES, service("none", { clusterIP: "None" }))).json.spec;
    expect(none).toMatchObject({ clusterIP: "None", clusterIPs: ["None"] });
  });

  it("keep what they are given, and it may not change", async () => {
    const { json } = await post(SERVICES, service("a", { clusterIP: "10.96.0.77" }));
    expect(json.spec.clusterIPs).toEqual(["10.96.0.77"]);
    const moved = await patch(`${SERVICES}/a`, { spec: { clusterIP: "10.96.0.78", clusterIPs: ["10.96.0.78"] } });
    expect(moved).toMatchObject({ code: 422, json: { reason: "Invalid" } });
    const more = await patch(`${SERVICES}/a`, { spec: { externalIPs: ["192.0.2.1"] } });
    expect(more.json.spec.clusterIP).toBe("10.96.0.77");
  });
});

describe("events and leases", () => {
  const event = (involved: object, more: object = {}) =>
    named("e", {
      involvedObject: { kind: "IPPool", name: "a", ...involved },
      type: "Warning",
      reason: "Refused",
      ...more,
    });
  const events = (namespace: string) => `/api/v1/namespaces/${namespace}/events`;

  it("an event is in the namespace of what it is about; in default when that has none", async () => {
    expect(await post(events("kube-system"), event({}))).toMatchObject({ code: 422 });
    expect((await post(events("kube-system"), event({}))).json.message).toContain("does not match event.namespace");
    expect((await post(events("default"), event({ namespace: "kube-system" }))).code).toBe(422);
    expect((await post(events("default"), event({}))).code).toBe(201);
    await ask(server, "DELETE", events("default"));
  });

  it("one with an eventTime says who reports and what was done", async () => {
    const eventTime = "2026-01-01T00:00:00.000000Z";
    expect((await post(events("kube-system"), event({}, { eventTime }))).json.message).toContain(
      "reportingComponent: Required",
    );
    const whole = { eventTime, reportingComponent: "overland", reportingInstance: "a", action: "Check" };
    expect((await post(events("kube-system"), event({}, whole))).code).toBe(201);
    await ask(server, "DELETE", events("kube-system"));
  });

  it("times with microseconds have six digits, not the three of toISOString", async () => {
    const lease = (renewTime: string) =>
      named("l", { spec: { holderIdentity: "a", leaseDurationSeconds: 15, renewTime } });
    expect(await post(LEASES, lease("2026-01-01T00:00:00.000Z"))).toMatchObject({
      code: 400,
      json: { reason: "BadRequest" },
    });
    expect((await post(LEASES, lease("2026-01-01T00:00:00.000000Z"))).code).toBe(201);
    expect((await patch(`${LEASES}/l`, { spec: { leaseDurationSeconds: 0 } })).code).toBe(422);
  });
});

describe("replace and patch", () => {
  it("an older version is a conflict, no version overwrites, another uid is a conflict, nothing there is 404", async () => {
    const { json: made } = await post(MAPS, named("a"));
    await patch(`${MAPS}/a`, { data: { k: "v" } });
    const stale = await put(`${MAPS}/a`, { ...made, data: { k: "old" } });
    expect(stale).toMatchObject({
      code: 409,
      json: { reason: "Conflict", details: { name: "a", kind: "configmaps" } },
    });
    expect(stale.json.message).toContain(
      "the object has been modified; please apply your changes to the latest version",
    );
    expect((await put(`${MAPS}/a`, named("a", { data: { k: "w" } }))).code).toBe(200);
    expect((await put(`${MAPS}/a`, { metadata: { name: "a", uid: "other" } })).code).toBe(409);
    expect((await put(`${MAPS}/b`, named("b"))).code).toBe(404);
    expect((await put(`${MAPS}/a`, named("b"))).code).toBe(400);
  });

  it("a Lease wants a version; a patch can bring one", async () => {
    const { json: made } = await post(LEASES, named("l", { spec: { holderIdentity: "a" } }));
    expect((await put(`${LEASES}/l`, named("l"))).code).toBe(422);
    const held = await put(`${LEASES}/l`, { ...made, spec: { holderIdentity: "b" } });
    expect(held.code).toBe(200);
    const { resourceVersion } = made.metadata;
    const late = await patch(`${LEASES}/l`, { metadata: { resourceVersion }, spec: { holderIdentity: "c" } });
    expect(late.code).toBe(409);
  });

  it("status goes by /status only, and the rest by the main path only; labels of built-in kinds by both", async () => {
    await post(NODES, named("n"));
    const conditions = [{ type: "Ready", status: "True" }];
    const main = await patch(`${NODES}/n`, { spec: { podCIDR: "10.1.0.0/24" }, status: { conditions } });
    expect(main.json.spec.podCIDR).toBe("10.1.0.0/24");
    expect(main.json).not.toHaveProperty("status");
    const body = { metadata: { labels: { a: "b" } }, spec: { podCIDR: "10.2.0.0/24" }, status: { conditions } };
    const { json } = await patch(`${NODES}/n/status`, body);
    expect(json).toMatchObject({
      metadata: { labels: { a: "b" } },
      spec: { podCIDR: "10.1.0.0/24" },
      status: { conditions },
    });
  });

  it("strategic merge goes by the lists' keys: conditions, taints, addresses; $patch deletes", async () => {
    await post(NODES, named("n", { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } }));
    const strategic = (path: string, body: object) => patch(path, body, "strategic-merge-patch+json");
    await strategic(`${NODES}/n/status`, { status: { conditions: [{ type: "Ready", status: "True" }] } });
    const conditions = [{ type: "NetworkUnavailable", status: "False" }];
    const both = await strategic(`${NODES}/n/status`, { status: { conditions } });
    expect(both.json.status.conditions.map(({ type }: Anything) => type)).toEqual(["Ready", "NetworkUnavailable"]);
    const changed = await strategic(`${NODES}/n/status`, {
      status: { conditions: [{ type: "Ready", status: "False" }] },
    });
    expect(changed.json.status.conditions[0]).toEqual({ type: "Ready", status: "False" });
    const gone = await strategic(`${NODES}/n`, {
      spec: {
        taints: [
          { key: "a", $patch: "delete" },
          { key: "b", effect: "NoExecute" },
        ],
      },
    });
    expect(gone.json.spec.taints).toEqual([{ key: "b", effect: "NoExecute" }]);
    const plain = await patch(`${NODES}/n`, { spec: { taints: [] } });
    expect(plain.json.spec.taints).toEqual([]);
  });

  it("JSON patch: test, add, replace, remove; what fails changes nothing", async () => {
    await post(MAPS, named("a", { data: { k: "v" } }));
    const json = (operations: object[]) => patch(`${MAPS}/a`, operations, "json-patch+json");
    const wrong = await json([
      { op: "replace", path: "/data/k", value: "w" },
      { op: "test", path: "/data/k", value: "v" },
    ]);
    expect(wrong.code).toBe(422);
    const right = await json([
      { op: "test", path: "/data/k", value: "v" },
      { op: "add", path: "/metadata/labels", value: { "example.com/a": "1" } },
      { op: "replace", path: "/metadata/labels/example.com~1a", value: "2" },
      { op: "remove", path: "/data/k" },
      { op: "add", path: "/data/l", value: "x" },
    ]);
    expect(right.json).toMatchObject({ data: { l: "x" }, metadata: { labels: { "example.com/a": "2" } } });
    expect((await json([{ op: "remove", path: "/data/none" }])).code).toBe(422);
  });

  it("a patch of no known kind is 415, with those that are known", async () => {
    await post(MAPS, named("a"));
    const { code, json } = await patch(`${MAPS}/a`, {}, "json");
    expect(code).toBe(415);
    expect(json.message).toContain("application/strategic-merge-patch+json");
  });

  it("a pod's spec stays as it is, but for images and a few", async () => {
    await post(PODS, pod("p", "n"));
    const moved = await patch(`${PODS}/p`, { spec: { nodeName: "m" } });
    expect(moved).toMatchObject({ code: 422, json: { reason: "Invalid" } });
    expect((await patch(`${PODS}/p`, { metadata: { annotations: { a: "b" } } })).code).toBe(200);
  });
});

describe("delete", () => {
  it("names what is gone; a watch is told with a new version", async () => {
    const { json: made } = await post(NODES, named("n"));
    const seen = await WatchLines.open(server, `${NODES}?watch=1&resourceVersion=${made.metadata.resourceVersion}`);
    const { code, json } = await ask(server, "DELETE", `${NODES}/n`);
    expect(code).toBe(200);
    expect(json).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "n", kind: "nodes", uid: made.metadata.uid },
    });
    const [gone] = await seen.first(1);
    expect(gone).toMatchObject({ type: "DELETED", object: { metadata: { name: "n" } } });
    expect(Number(gone.object.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    seen.close();
  });

  it("a wrong uid or version is a conflict and deletes nothing", async () => {
    const { json: made } = await post(MAPS, named("a"));
    for (const preconditions of [{ uid: "other" }, { resourceVersion: "1" }]) {
      expect((await ask(server, "DELETE", `${MAPS}/a`, { body: { preconditions } })).code).toBe(409);
    }
    const { uid } = made.metadata;
    expect((await ask(server, "DELETE", `${MAPS}/a`, { body: { preconditions: { uid } } })).code).toBe(200);
    expect((await ask(server, "DELETE", `${MAPS}/a`)).code).toBe(404);
  });

  it("a pod on a node is given time, then is gone when its kubelet says so; finalizers hold it until they are gone", async () => {
    const { json: made } = await post(PODS, { ...pod("p", "n"), metadata: { name: "p", finalizers: ["a/b"] } });
    const seen = await WatchLines.open(server, `${PODS}?watch=1&resourceVersion=${made.metadata.resourceVersion}`);
    const first = await ask(server, "DELETE", `${PODS}/p`);
    expect(first.json.metadata.deletionGracePeriodSeconds).toBe(30);
    const ahead = Date.parse(first.json.metadata.deletionTimestamp) - Date.now();
    expect(ahead).toBeGreaterThan(20_000);
    const forced = await ask(server, "DELETE", `${PODS}/p?gracePeriodSeconds=0`);
    expect(forced.json.metadata.deletionGracePeriodSeconds).toBe(0);
    expect((await get(server, `${PODS}/p`)).code).toBe(200);
    await patch(`${PODS}/p`, { metadata: { finalizers: null } });
    expect((await get(server, `${PODS}/p`)).code).toBe(404);
    await seen.first(3);
    expect(seen.told).toEqual(["MODIFIED p", "MODIFIED p", "DELETED p"]);
    seen.close();
  });

  it("a pod that no node has needs no time", async () => {
    await post(PODS, pod("p"));
    await ask(server, "DELETE", `${PODS}/p`);
    expect((await get(server, `${PODS}/p`)).code).toBe(404);
  });

  it("a namespace goes with all that is in it; meanwhile nothing can be made there", async () => {
    await post("/api/v1/namespaces", named("shop"));
    const inside = MAPS.replace("default", "shop");
    await post(inside, { metadata: { name: "held", finalizers: ["a/b"] } });
    const leaving = await ask(server, "DELETE", "/api/v1/namespaces/shop");
    expect(leaving.json.status.phase).toBe("Terminating");
    const late = await post(inside, named("late"));
    expect(late).toMatchObject({ code: 403, json: { details: { causes: [{ reason: "NamespaceTerminating" }] } } });
    await eventually(
      "it is marked",
      5,
      async () => (await get(server, `${inside}/held`)).json.metadata.deletionTimestamp,
    );
    await patch(`${inside}/held`, { metadata: { finalizers: [] } });
    await eventually("it is gone", 5, async () => (await get(server, "/api/v1/namespaces/shop")).code === 404);
  });
});

describe("server-side apply", () => {
  const apply = (manager: string, body: object, more = "") =>
    patch(`${NODES}/n?fieldManager=${manager}${more}`, { apiVersion: "v1", kind: "Node", ...body }, "apply-patch+yaml");
  const labels = (one: object) => ({ metadata: { name: "n", labels: one } });

  it("makes, changes, takes back what its manager applied before, and leaves the rest", async () => {
    expect((await apply("one", labels({ a: "1", b: "2" }))).code).toBe(201);
    await patch(`${NODES}/n`, { metadata: { labels: { c: "3" } } });
    const { json } = await apply("one", labels({ a: "1" }));
    expect(json.metadata.labels).toEqual({ a: "1", c: "3" });
    expect(json.metadata.managedFields.map(({ manager, operation }: Anything) => `${manager} ${operation}`)).toContain(
      "one Apply",
    );
    const again = await apply("one", labels({ a: "1" }));
    expect(again.json.metadata.resourceVersion).toBe(json.metadata.resourceVersion);
  });

  it("another manager's field is a conflict that names it, unless forced", async () => {
    await apply("one", labels({ a: "1" }));
    const refused = await apply("two", labels({ a: "2" }));
    expect(refused).toMatchObject({
      code: 409,
      json: {
        reason: "Conflict",
        details: { causes: [{ reason: "FieldManagerConflict", field: ".metadata.labels.a" }] },
      },
    });
    expect((await apply("two", labels({ a: "1" }))).code).toBe(200);
    const forced = await apply("two", labels({ a: "2" }), "&force=true");
    expect(forced.json.metadata.labels).toEqual({ a: "2" });
  });

  it("wants a manager", async () => {
    const body = { apiVersion: "v1", kind: "Node", ...named("n") };
    expect((await patch(`${NODES}/n`, body, "apply-patch+yaml")).code).toBe(400);
  });
});
