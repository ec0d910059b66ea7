/** Who may do what, and what the server can be told to do wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { ask, get, WatchLines } from "../harness/api-client.ts";
import { ApiServer } from "../harness/api-server.ts";
import { always, eventually } from "../harness/wait.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

let server: ApiServer;
let made = 0;
const create = async (): Promise<string> => {
  const name = `m${++made}`;
  expect((await ask(server, "POST", MAPS, { body: { metadata: { name } } })).code).toBe(201);
  return name;
};
const version = async (): Promise<string> => (await get(server, MAPS)).json.metadata.resourceVersion;
const watch = async (): Promise<WatchLines> =>
  WatchLines.open(server, `${MAPS}?watch=1&resourceVersion=${await version()}`);

beforeAll(async () => {
  server = await ApiServer.start({ words: ["--keep", "--shutdown-seconds", "12"] });
});
afterEach(() => server.clearFaults());
afterAll(() => server.remove());

describe("rights", () => {
  it("a token that is nobody's is 401; without any, everything is 403, even /version", async () => {
    expect(await get(server, MAPS, { token: "wrong" })).toMatchObject({ code: 401, json: { reason: "Unauthorized" } });
    const nobody = await get(server, "/version", { token: undefined });
    expect(nobody).toMatchObject({ code: 403, json: { kind: "Status", reason: "Forbidden" } });
    expect(nobody.json.message).toBe('forbidden: User "system:anonymous" cannot get path "/version"');
  });

  it("what no role allows is 403 with verb, resource and place; a binding allows it at once, and its end forbids it", async () => {
    const token = await server.serviceAccount("default/agent");
    const denied = await get(server, MAPS, { token });
    expect(denied.code).toBe(403);
    expect(denied.json.message).toBe(
      'configmaps is forbidden: User "system:serviceaccount:default:agent" cannot list resource "configmaps" in API ' +
        'group "" in the namespace "default"',
    );
    const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }];
    await ask(server, "POST", `${RBAC}/clusterroles`, { body: { metadata: { name: "reader" }, rules } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" };
    const subjects = [{ kind: "ServiceAccount", namespace: "default", name: "agent" }];
    const body = { metadata: { name: "reader" }, roleRef, subjects };
    await ask(server, "POST", `${RBAC}/namespaces/default/rolebindings`, { body });
    expect((await get(server, MAPS, { token })).code).toBe(200);
    expect((await get(server, MAPS.replace("default", "kube-system"), { token })).code).toBe(403);
    expect((await get(server, `${MAPS}?watch=1`, { token })).code).toBe(403);
    await ask(server, "DELETE", `${RBAC}/namespaces/default/rolebindings/reader`);
    expect((await get(server, MAPS, { token })).code).toBe(403);
  });

  it("single objects by resourceNames, subresources apart from their kind", async () => {
    const token = await server.user("jane");
    await ask(server, "POST", "/api/v1/nodes", { body: { metadata: { name: "n1" } } });
    const rules = [
      { apiGroups: [""], resources: ["nodes"], resourceNames: ["n1"], verbs: ["get"] },
      { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
    ];
    await ask(server, "POST", `${RBAC}/clusterroles`, { body: { metadata: { name: "one-node" }, rules } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "one-node" };
    const body = { metadata: { name: "jane" }, roleRef, subjects: [{ kind: "User", name: "jane" }] };
    await ask(server, "POST", `${RBAC}/clusterrolebindings`, { body });
    const patch = (path: string) =>
      ask(server, "PATCH", path, {
        body: { metadata: { labels: { a: "b" } } },
        type: "application/merge-patch+json",
        token,
      });
    expect((await get(server, "/api/v1/nodes/n1", { token })).code).toBe(200);
    expect((await get(server, "/api/v1/nodes/n2", { token })).code).toBe(403);
    expect((await get(server, "/api/v1/nodes", { token })).code).toBe(403);
    expect((await patch("/api/v1/nodes/n1")).code).toBe(403);
    expect((await patch("/api/v1/nodes/n1/status")).code).toBe(200);
  });

  it("a client certificate of the CA is as good as a token: its names are user and groups", async () => {
    const { certificate: cert, key } = (await server.control("/certificates", {
      name: "kubelet",
      groups: ["system:masters", "system:nodes"],
    })) as Record<string, string>;
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const { json } = await ask(server, "POST", path, { body, token: undefined, certificate: { cert, key } });
    expect(json.status.userInfo).toEqual({
      username: "kubelet",
      groups: ["system:masters", "system:nodes", "system:authenticated"],
    });
  });

  it("a revoked token is 401 from the next request on; an open watch goes on", async () => {
    const token = await server.user("ops", "system:masters");
    const seen = await WatchLines.open(server, `${MAPS}?watch=1&resourceVersion=${await version()}`, { token });
    await server.revoke(token);
    expect((await get(server, MAPS, { token })).code).toBe(401);
    await create();
    await seen.first(1);
    seen.close();
  });
});

describe("faults", () => {
  it("the next answers are what is wished, for those who are meant", async () => {
    await server.fail({ code: 429, count: 2, retryAfterSeconds: 7, match: { verb: "list", resource: "configmaps" } });
    const busy = await get(server, MAPS);
    expect(busy).toMatchObject({ code: 429, headers: { "retry-after": "7" }, json: { reason: "TooManyRequests" } });
    expect((await get(server, "/api/v1/nodes")).code).toBe(200);
    expect((await get(server, MAPS)).code).toBe(429);
    expect((await get(server, MAPS)).code).toBe(200);
    await server.fail({ code: 503 });
    expect((await get(server, MAPS)).code).toBe(503);
    await server.clearFaults();
    expect((await get(server, MAPS)).code).toBe(200);
  });

  it("a frozen server takes connections and requests and answers none; then it goes on where it was", async () => {
    const seen = await watch();
    await server.freeze();
    let answered = false;
    const late = create().then((name) => {
      answered = true;
      return name;
    });
    await always("nothing is answered", 1, () => !answered && seen.lines.length === 0);
    await server.thaw();
    const name = await late;
    await seen.first(1);
    expect(seen.told).toEqual([`ADDED ${name}`]);
    seen.close();
  });

  it("connections are reset, and refused until it is back", async () => {
    const seen = await watch();
    await server.goAway();
    await seen.end();
    expect(seen.ended).toBe("broken");
    await expect(get(server, MAPS)).rejects.toThrow(/ECONNREFUSED/);
    await server.clearFaults();
    expect((await get(server, MAPS)).code).toBe(200);
  });

  it("a stream is cut in the middle of a line", async () => {
    const seen = await watch();
    await server.cutNext(1);
    await create();
    await seen.end();
    expect(seen).toMatchObject({ ended: "broken", lines: [] });
    expect(seen.rest).toMatch(/^\{"type":"ADDED"/);
  });

  it("streams are closed after each change", async () => {
    await server.closeAfterEach({ resource: "configmaps" });
    const seen = await watch();
    const name = await create();
    await create();
    await seen.end();
    expect(seen).toMatchObject({ ended: "cleanly", told: [`ADDED ${name}`] });
  });

  it("answers that are meant come late", async () => {
    await server.delay(1500, { path: MAPS });
    const order: string[] = [];
    await Promise.all([
      get(server, MAPS).then(() => order.push("maps")),
      get(server, "/api/v1/nodes").then(() => order.push("nodes")),
    ]);
    expect(order).toEqual(["nodes", "maps"]);
  });

  it("requests are counted by who, what and where", async () => {
    const token = await server.user("counter", "system:masters");
    await server.forgetRequests();
    await get(server, MAPS, { token });
    await get(server, MAPS, { token });
    await get(server, `${MAPS}/none`, { token });
    expect(await server.requests({ user: "counter" })).toEqual([
      { user: "counter", verb: "list", resource: "configmaps", path: MAPS, count: 2, code: 200 },
      { user: "counter", verb: "get", resource: "configmaps", path: `${MAPS}/none`, count: 1, code: 404 },
    ]);
  });
});

describe("scale", () => {
  it("20,000 slices are there at once, in pages that all show one version", async () => {
    const slices = Array.from({ length: 20_000 }, (_, n) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `s${n}`, namespace: `ns${n % 50}`, labels: { "kubernetes.io/service-name": `s${n % 5000}` } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 80 }],
      endpoints: [{ addresses: ["10.1.2.3"], nodeName: `n${n % 5000}`, conditions: { ready: true } }],
    }));
    await server.load(slices);
    const path = "/apis/discovery.k8s.io/v1/endpointslices";
    const versions = new Set<string>();
    let [seen, token] = [0, ""];
    do {
      const { json } = await get(server, `${path}?limit=5000&continue=${token}`);
      versions.add(json.metadata.resourceVersion);
      seen += json.items.length;
      token = json.metadata.continue ?? "";
      await create();
    } while (token !== "");
    expect({ seen, versions: versions.size }).toEqual({ seen: 20_000, versions: 1 });
    await ask(server, "DELETE", path.replace("endpointslices", "namespaces/ns0/endpointslices"));
    expect((await server.state()).objects["discovery.k8s.io/endpointslices"]).toBe(19_600);
  });
});

describe("restarts", () => {
  it("killed and started again it knows what it acknowledged, and former versions have expired", async () => {
    const before = await version();
    const name = await create();
    const seen = await watch();
    await server.stop("SIGKILL");
    await seen.end();
    expect(seen.ended).toBe("broken");
    await server.startAgain();
    expect((await get(server, `${MAPS}/${name}`)).code).toBe(200);
    expect(Number(await version())).toBeGreaterThan(Number(before));
    const late = await (await WatchLines.open(server, `${MAPS}?watch=1&resourceVersion=${before}`)).end();
    expect(late.events).toMatchObject([{ type: "ERROR", object: { code: 410, reason: "Expired" } }]);
    await create();
  });

  it("with its history kept, watches go on where they were", async () => {
    const before = await version();
    const first = await create();
    await server.stop("SIGKILL");
    await server.startAgain("--keep-history");
    const second = await create();
    const seen = await WatchLines.open(server, `${MAPS}?watch=1&resourceVersion=${before}`);
    await seen.first(2);
    expect(seen.told).toEqual([`ADDED ${first}`, `ADDED ${second}`]);
    seen.close();
  });

  it("asked to stop it serves open watches on, beside the next one on its port, and ends them after a while", async () => {
    const seen = await watch();
    await server.retire();
    await server.startAgain();
    const name = await create();
    await eventually("the old stream tells what the new server did", 10, () => seen.told.includes(`ADDED ${name}`));
    await seen.end(30);
  });
});
