/** The port on a faithful API server, a process of its own, with all that goes wrong there. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { type Account, ApiServerForTests, CLUSTER_ROLE_BINDINGS } from "./api-server-for-tests.ts";
import { Followed, until } from "./followed-for-tests.ts";
import {
  type Cluster,
  ENDPOINT_SLICES,
  EVENTS,
  type KubeObject,
  keyOf,
  NAMESPACES,
  NODES,
  PODS,
  type ResourceType,
  SECRETS,
  SERVICES,
  type Selection,
  type Watch,
} from "./port.ts";

interface Service extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

let server: ApiServerForTests;
let agent: Account;
const watches: Watch[] = [];

const EVERYTHING = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
const ports = [{ port: 80, protocol: "TCP" }];
const service = (name: string, app = name): Service => ({
  metadata: { name, namespace: "default", labels: { app } },
  spec: { ports },
});
const loaded = (object: Service) => ({ apiVersion: "v1", kind: "Service", ...object });
const ref = (name: string) => ({ type: SERVICES, namespace: "default", name });

function follow(cluster: Cluster, selection: Selection): Followed {
  const followed = new Followed(cluster, selection, server.admin);
  watches.push(followed.watch);
  return followed;
}

async function asked(user = agent.user): Promise<number> {
  return (await server.process.requests({ user })).reduce((sum, { count }) => sum + count, 0);
}

beforeAll(async () => {
  server = await ApiServerForTests.start();
  agent = await server.account("agent");
  await server.allow(agent.user, EVERYTHING);
}, 60_000);

afterEach(async () => {
  for (const watch of watches.splice(0)) watch.stop();
  await server.process.clearFaults();
});

afterAll(async () => {
  agent.cluster.close();
  await server.remove();
});

describe("calls", () => {
  it("make, read, change and delete", async () => {
    const { cluster } = agent;
    expect(await cluster.get(ref("a"))).toBeUndefined();
    const made = await cluster.create<Service>(SERVICES, service("a"));
    expect(made.spec).toMatchObject({ type: "ClusterIP", ports });
    await expect(cluster.create(SERVICES, service("a"))).rejects.toMatchObject({
      status: 409,
      reason: "AlreadyExists",
    });
    const changed = await cluster.patch<Service>(ref("a"), {
      how: "merge",
      body: { metadata: { labels: { x: "1" } } },
    });
    expect(changed.metadata.labels).toEqual({ app: "a", x: "1" });
    await expect(cluster.replace(SERVICES, made)).rejects.toMatchObject({ status: 409, reason: "Conflict" });
    const other = { uid: "of-another" };
    await expect(cluster.delete(ref("a"), other)).rejects.toMatchObject({ status: 409 });
    expect((await cluster.list({ type: SERVICES, labelSelector: "x=1" })).map(keyOf)).toEqual(["default/a"]);
    expect(await cluster.delete(ref("a"), { uid: made.metadata.uid as string })).toBe(true);
    expect(await cluster.delete(ref("a"))).toBe(false);
  });

  it("write a status beside another: one is told of the conflict", async () => {
    const node = await server.admin.create(NODES, { metadata: { name: "n1" } });
    const seen = (await agent.cluster.get(node_("n1"))) as KubeObject;
    const condition = { type: "NetworkUnavailable", status: "False", reason: "Up", message: "up" };
    const body = { status: { conditions: [condition] } };
    await agent.cluster.patch(node_("n1"), { how: "strategic", body, subresource: "status" });
    expect(await agent.cluster.get(node_("n1"))).toMatchObject(body);
    await expect(agent.cluster.replace(NODES, seen, "status")).rejects.toMatchObject({ status: 409 });
    expect(node.metadata.name).toBe("n1");
  });

  it("say what is wrong in words", async () => {
    const { cluster } = agent;
    const unknown = { type: { ...SERVICES, group: "none.example.org" }, namespace: "default", name: "a" };
    await expect(cluster.get(unknown)).rejects.toThrow(/does not know services.none.example.org\/v1; are the Custom/);
    await expect(cluster.list({ type: PODS, fieldSelector: "spec.what=1" })).rejects.toThrow(
      /cannot list pods.*\(400\)/,
    );
    const stranger = await server.account("stranger");
    await expect(stranger.cluster.get(node_("n1"))).rejects.toThrow(
      /cannot get Node n1: not allowed; .*apiGroups: \[""\], resources: \["nodes"\], verbs: \["get"\]/,
    );
    stranger.cluster.close();
    await expect(stranger.cluster.get(node_("n1"))).rejects.toMatchObject({ status: 0 });
  });

  it("wait when the server has no time, within bounds", async () => {
    await server.process.fail({ code: 429, count: 1, retryAfterSeconds: 1, match: { user: agent.user } });
    expect(await agent.cluster.get(node_("n1"))).toBeDefined();
    await server.process.fail({ code: 503, count: 1, match: { user: agent.user } });
    await expect(agent.cluster.get(node_("n1"))).rejects.toMatchObject({ status: 503 });
  });

  it("leave events", async () => {
    const event = {
      metadata: { name: "n1.1", namespace: "default" },
      ...{ type: "Warning", reason: "Refused", message: "no", involvedObject: { kind: "Node", name: "n1" } },
    };
    await agent.cluster.create(EVENTS, event);
    expect(await agent.cluster.list({ type: EVENTS, namespace: "default" })).toMatchObject([{ reason: "Refused" }]);
  });

  it("use their connections again", async () => {
    const { connections } = await server.process.state();
    for (let n = 0; n < 100; n++) await agent.cluster.get(node_("n1"));
    const after = await server.process.state();
    expect(after.connections).toBeLessThanOrEqual(connections + 1);
  });
});

function node_(name: string) {
  return { type: NODES, name };
}

describe("a watch", () => {
  it("of one node's pods tells no others, and a deletion before it is one", async () => {
    const pod = (name: string, nodeName: string) =>
      ({
        metadata: { name, namespace: "default" },
        spec: { nodeName, containers: [{ name: "c", image: "i" }] },
      }) as KubeObject;
    await server.admin.create(PODS, pod("here", "n1"));
    await server.admin.create(PODS, pod("there", "n2"));
    const followed = follow(agent.cluster, { type: PODS, fieldSelector: "spec.nodeName=n1" });
    await followed.agrees();
    expect([...followed.known.keys()]).toEqual(["default/here"]);
    await server.admin.delete({ type: PODS, namespace: "default", name: "here" });
    await until(
      () => followed.known.get("default/here")?.endsWith("true]") === true,
      () => "no deletion is told",
    );
    followed.watch.stop();
  });

  it("of one namespace needs no right for others", async () => {
    const reader = await server.account("reader");
    const role = { ...CLUSTER_ROLE_BINDINGS, plural: "roles", kind: "Role", namespaced: true };
    const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] }];
    const metadata = { name: "reader", namespace: "overland-system" };
    const secret = (namespace: string) => ({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace } });
    await server.process.put(secret("overland-system"), secret("default"));
    await server.admin.create(role, { metadata, rules } as KubeObject);
    await server.admin.create({ ...role, plural: "rolebindings", kind: "RoleBinding" }, {
      metadata,
      roleRef: { apiGroup: CLUSTER_ROLE_BINDINGS.group, kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    } as KubeObject);
    const followed = follow(reader.cluster, { type: SECRETS, namespace: reader.cluster.namespace });
    await followed.agrees();
    expect([...followed.known.keys()]).toEqual(["overland-system/s"]);
    const all = follow(reader.cluster, { type: SECRETS });
    await all.says(/cannot watch secrets: not allowed/);
    reader.cluster.close();
  });

  it("tells what leaves and what enters the selection", async () => {
    await server.admin.create(SERVICES, service("in", "mine"));
    await server.admin.create(SERVICES, service("out", "yours"));
    const followed = follow(agent.cluster, { type: SERVICES, labelSelector: "app=mine" });
    await followed.agrees();
    const label = (name: string, app: string) =>
      server.admin.patch(ref(name), { how: "merge", body: { metadata: { labels: { app } } } });
    await Promise.all([label("in", "yours"), label("out", "mine")]);
    await followed.agrees();
    expect([[...followed.known.keys()], followed.snapshots]).toEqual([["default/out"], 1]);
    followed.watch.stop();
  });

  it("outlives the server, killed and stopped, with everything changed before it is heard again", async () => {
    const followed = follow(agent.cluster, { type: SERVICES });
    await followed.agrees();
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      followed.said.length = 0;
      await server.admin.create(SERVICES, service("again", "first"));
      await followed.agrees();
      // After SIGTERM open watches are served on for a while.
      await server.process.stop(signal);
      await followed.says(/cannot be reached/);
      expect(followed.known.size).toBeGreaterThan(0);
      await server.process.startAgain();
      // Before it is let in, as much changes as can.
      await server.process.fail({ code: 503, match: { user: agent.user } });
      await server.admin.delete(ref("again"));
      await server.admin.create(SERVICES, service("again", "second"));
      await server.process.compact();
      await server.process.clearFaults();
      await followed.agrees();
      await server.admin.delete(ref("again"));
      await followed.agrees();
    }
    expect(followed.said.at(-1)).toBeUndefined();
    followed.watch.stop();
  }, 60_000);

  it("is there once the server is", async () => {
    await server.process.stop();
    const followed = follow(agent.cluster, { type: NAMESPACES });
    await followed.says(/cannot be reached: .*ECONNREFUSED/);
    expect([followed.watch.synced, followed.snapshots]).toEqual([false, 0]);
    await server.process.startAgain();
    await followed.agrees();
    followed.watch.stop();
  }, 60_000);

  it.each([
    ["/expire", {}],
    ["/faults/cut", { count: 3 }],
    ["/faults/close-after-each", {}],
    ["/faults/answer", { code: 410, count: 2 }],
    ["/faults/answer", { code: 429, count: 3, retryAfterSeconds: 1 }],
    ["/faults/answer", { code: 500, count: 5 }],
    ["/faults/answer", { code: 503, count: 5, retryAfterSeconds: 1 }],
    ["/faults/answer", { code: 401, count: 3 }],
    ["/faults/reset", {}],
    ["/faults/close", {}],
    ["/faults/freeze", {}],
  ])(
    "comes to the truth after %s %j, without haste",
    async (path, body) => {
      const followed = follow(agent.cluster, { type: SERVICES });
      await followed.agrees();
      const names = ["x", "y", "z"];
      await server.process.forgetRequests();
      await server.process.control(path, { ...body, match: { user: agent.user } });
      // Past the API, which may not answer now.
      await server.process.put(...names.map((name) => loaded(service(name))));
      if (path === "/faults/answer") await server.process.resetConnections();
      await new Promise((resolve) => setTimeout(resolve, 700));
      await server.process.clearFaults();
      await followed.agrees();
      await Promise.all(names.map((name) => server.admin.delete(ref(name))));
      await followed.agrees();
      // Pauses of 100 ms and more on average over a few seconds.
      expect(await asked()).toBeLessThan(60);
      followed.watch.stop();
      const { watches } = await server.process.state();
      expect(watches).toBeLessThanOrEqual(1);
    },
    60_000,
  );

  it("goes on with the token that took the place of its own", async () => {
    const followed = follow(agent.cluster, { type: SERVICES });
    await followed.agrees();
    const old = await agent.renew();
    await server.process.revoke(agent.token);
    await server.process.resetConnections();
    await server.process.put(loaded(service("rotated")));
    await followed.agrees();
    await server.process.revoke(old);
    await server.process.resetConnections();
    await followed.says(/does not accept the credentials/);
    await agent.renew();
    await followed.agrees();
    await server.admin.delete(ref("rotated"));
    followed.watch.stop();
  }, 60_000);

  it("says which right is missing, and goes on when it is given", async () => {
    const name = agent.user.replaceAll(":", "-");
    const followed = follow(agent.cluster, { type: SERVICES });
    await followed.agrees();
    const binding = { type: CLUSTER_ROLE_BINDINGS, name };
    const { metadata, ...rest } = (await server.admin.get(binding)) as KubeObject;
    await server.admin.delete(binding);
    await server.process.resetConnections();
    await followed.says(/cannot watch services: not allowed; .*resources: \["services"\], verbs: \["watch"\]/);
    expect(followed.watch.synced).toBe(false);
    await server.admin.create(CLUSTER_ROLE_BINDINGS, { ...rest, metadata: { name: metadata.name } });
    await followed.agrees();
    followed.watch.stop();
  }, 60_000);
});

describe("a watch of custom resources", () => {
  const DEFINITIONS: ResourceType = {
    ...{ group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" },
    ...{ kind: "CustomResourceDefinition", namespaced: false },
  };
  const WIDGETS: ResourceType = {
    group: "example.org",
    version: "v1",
    plural: "widgets",
    kind: "Widget",
    namespaced: false,
  };
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const definition = {
    metadata: { name: "widgets.example.org" },
    spec: {
      ...{ group: "example.org", scope: "Cluster", names: { plural: "widgets", kind: "Widget", singular: "widget" } },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
  const define = () => server.admin.create(DEFINITIONS, definition);
  const undefine = () => server.admin.delete({ type: DEFINITIONS, name: "widgets.example.org" });
  const widget = (name: string) => ({ apiVersion: "example.org/v1", kind: "Widget", metadata: { name } });
  const make = async (name: string) => {
    // The server takes a moment to serve what was defined.
    const made = () =>
      server.admin.create(WIDGETS, widget(name)).then(
        () => true,
        () => false,
      );
    await until(made, () => `${name} cannot be made`);
  };

  it("waits for their definition, and follows its going and coming", async () => {
    const followed = follow(agent.cluster, { type: WIDGETS });
    await followed.says(/does not know widgets.example.org\/v1; are the CustomResourceDefinitions installed/);
    expect(followed.snapshots).toBe(0);
    for (const name of ["a", "b"]) {
      await define();
      await make(name);
      await followed.agrees();
      expect([...followed.known.keys()]).toEqual([name]);
      followed.said.length = 0;
      await undefine();
      await followed.says(/does not know widgets/);
      // All were deleted before the type was.
      expect(followed.known.size).toBe(0);
    }
    followed.watch.stop();
  }, 60_000);
});

describe("many objects", () => {
  it("come whole, be they changed and the connection broken meanwhile", async () => {
    const count = 5_000;
    const pod = (n: number, round: number) => ({
      ...{
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `p${n}`, namespace: "many", labels: { round: `${round}` } },
      },
      ...{
        spec: { nodeName: `n${n % 50}`, containers: [{ name: "c", image: "i" }], futureField: { of: ["another", n] } },
      },
    });
    const load = (numbers: readonly number[], round: number) =>
      server.process.put(...numbers.map((n) => pod(n, round)));
    await load([...new Array(count).keys()], 0);
    const followed = follow(agent.cluster, { type: PODS, namespace: "many" });
    for (let round = 1; round <= 5; round++) {
      await load(
        [...new Array(count / 10).keys()].map((n) => (n * 7 + round) % count),
        round,
      );
      await server.process.control(round % 2 === 0 ? "/faults/reset" : "/expire");
    }
    await followed.agrees();
    expect(followed.known.size).toBe(count);
    followed.watch.stop();
  }, 120_000);
});

describe("whatever fails, one thing after the other", () => {
  it("the last word is the truth", async () => {
    let seed = 20261121;
    const chance = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const match = { user: agent.user };
    const faults: [string, object][] = [
      ["/expire", {}],
      ["/compact", {}],
      ["/faults/cut", { match, count: 2 }],
      ["/faults/close-after-each", { match }],
      ["/faults/answer", { match, code: 410, count: 1 }],
      ["/faults/answer", { match, code: 500, count: 3 }],
      ["/faults/answer", { match, code: 403, count: 2 }],
      ["/faults/answer", { match, code: 404, count: 2 }],
      ["/faults/delay", { match, milliseconds: 50 }],
      ["/faults/reset", {}],
      ["/faults/close", {}],
      ["/faults/clear", {}],
    ];
    const followed = [SERVICES, NAMESPACES, NODES, ENDPOINT_SLICES].map((type) => follow(agent.cluster, { type }));
    for (let step = 0; step < 150; step++) {
      const [path, body] = faults[chance(faults.length)] as [string, object];
      await server.process.control(path, body);
      const name = `s${chance(12)}`;
      if (chance(3) > 0) await server.process.put(loaded(service(name, `app${chance(99)}`)));
      else await server.admin.delete(ref(name)).catch(() => false);
      if (chance(4) === 0) await new Promise((resolve) => setTimeout(resolve, chance(60)));
    }
    await server.process.clearFaults();
    for (const one of followed) await one.agrees();
    await server.admin.create(SERVICES, service("last"));
    for (const one of followed) await one.agrees();
    for (const one of followed) one.watch.stop();
    // Streams that were stopped are connections that are closed; a few of calls are kept.
    const connections = async () => (await server.process.state()).connections;
    await until(
      async () => (await connections()) < 12,
      () => "connections stay open",
    );
  }, 120_000);
});
