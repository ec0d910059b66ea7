/** CustomResourceDefinitions: schemas, unknown fields, defaults, columns, several versions, and their end. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type Answer, type Anything, ask, get, WatchLines } from "../harness/api-client.ts";
import { ApiServer } from "../harness/api-server.ts";
import { eventually } from "../harness/wait.ts";

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const PEERS = "/apis/test.overland.dev/v1/peers";

const SCHEMA = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["address"],
      properties: {
        address: { type: "string", format: "ipv4" },
        port: { type: "integer", minimum: 1, maximum: 65_535, default: 179 },
        mode: { type: "string", enum: ["Active", "Passive"] },
        name: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
        hold: { "x-kubernetes-int-or-string": true },
        families: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set", maxItems: 2 },
        timers: { type: "object", properties: { keepalive: { type: "integer", default: 30 } }, default: {} },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        labels: { type: "object", additionalProperties: { type: "string" } },
      },
    },
    status: { type: "object", properties: { state: { type: "string" } } },
  },
};

const definition = (schema: object = SCHEMA) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "peers.test.overland.dev" },
  spec: {
    group: "test.overland.dev",
    scope: "Cluster",
    names: { plural: "peers", singular: "peer", kind: "Peer", listKind: "PeerList", shortNames: ["pr"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        selectableFields: [{ jsonPath: ".spec.mode" }],
        additionalPrinterColumns: [
          { name: "Address", type: "string", jsonPath: ".spec.address" },
          { name: "Port", type: "integer", jsonPath: ".spec.port" },
          { name: "State", type: "string", jsonPath: ".status.state" },
        ],
      },
    ],
  },
});
const peer = (name: string, spec: object) => ({
  apiVersion: "test.overland.dev/v1",
  kind: "Peer",
  metadata: { name },
  spec,
});

let server: ApiServer;
const post = (body: object, query = ""): Promise<Answer> => ask(server, "POST", `${PEERS}${query}`, { body });
const patch = (path: string, body: object, how = "merge-patch+json"): Promise<Answer> =>
  ask(server, "PATCH", path, { body, type: `application/${how}` });
const isEstablished = async (): Promise<boolean> =>
  ((await get(server, `${DEFINITIONS}/peers.test.overland.dev`)).json.status?.conditions ?? []).some(
    ({ type, status }: Anything) => type === "Established" && status === "True",
  );
const define = async (): Promise<void> => {
  const { code, text } = await ask(server, "POST", DEFINITIONS, { body: definition() });
  if (code !== 201) throw new Error(text);
  await eventually("the definition is established", 5, isEstablished);
};

beforeAll(async () => {
  server = await ApiServer.start();
});
afterAll(() => server.remove());

describe("a custom kind", () => {
  beforeAll(define);
  beforeEach(async () => {
    await ask(server, "DELETE", PEERS);
  });
  afterAll(async () => {
    await ask(server, "DELETE", `${DEFINITIONS}/peers.test.overland.dev`);
    await eventually("it is gone", 5, async () => (await get(server, PEERS)).code === 404);
  });

  it("defaults are filled in, also where a default makes the place for another", async () => {
    const { code, json } = await post(peer("a", { address: "192.0.2.1" }));
    expect(code).toBe(201);
    expect(json.spec).toEqual({ address: "192.0.2.1", port: 179, timers: { keepalive: 30 } });
    expect(json.metadata.generation).toBe(1);
  });

  it("unknown fields are pruned with a warning that names them, or refused, or pruned in silence, as is asked", async () => {
    const body = peer("a", { address: "192.0.2.1", adress: "x", free: { any: 1 }, labels: { a: "b" } });
    const strict = await post(body, "?fieldValidation=Strict");
    expect(strict).toMatchObject({ code: 400, json: { reason: "BadRequest" } });
    expect(strict.json.message).toContain('strict decoding error: unknown field "spec.adress"');
    const warned = await post(body);
    expect(warned.headers["warning"]).toBe('299 - "unknown field \\"spec.adress\\""');
    expect(warned.json.spec).toMatchObject({ free: { any: 1 }, labels: { a: "b" } });
    expect(warned.json.spec).not.toHaveProperty("adress");
    expect((await post({ ...body, metadata: { name: "b" } }, "?fieldValidation=Ignore")).headers).not.toHaveProperty(
      "warning",
    );
  });

  it.each([
    ["too small", { port: 0 }, "spec.port: Invalid value: 0: spec.port in body should be greater than or equal to 1"],
    ["too large", { port: 65_536 }, "should be less than or equal to 65535"],
    [
      "another type",
      { port: "bgp" },
      'spec.port: Invalid value: "string": spec.port in body must be of type integer: "string"',
    ],
    [
      "not in the enum",
      { mode: "Lazy" },
      'spec.mode: Unsupported value: "Lazy": supported values: "Active", "Passive"',
    ],
    ["against the pattern", { name: "A1" }, "spec.name in body should match '^[a-z]+$'"],
    ["too long", { name: "abcdef" }, "spec.name: Too long: may not be more than 5 bytes"],
    ["neither number nor text", { hold: true }, "spec.hold in body must be of type integer or string"],
    ["twice in a set", { families: ["a", "a"] }, 'spec.families[1]: Duplicate value: "a"'],
    ["too many", { families: ["a", "b", "c"] }, "spec.families: Too many: 3: must have at most 2 items"],
    ["no address", { address: "host" }, "spec.address in body must be of type ipv4"],
    ["nothing where something must be", { address: undefined }, "spec.address: Required value"],
  ])("refuses what is %s", async (_, wrong, message) => {
    const { code, json } = await post(peer("a", { address: "192.0.2.1", ...wrong }));
    expect(code).toBe(422);
    expect(json.message).toMatch(/^Peer\.test\.overland\.dev "a" is invalid: /);
    expect(json.message).toContain(message);
    expect((await get(server, `${PEERS}/a`)).code).toBe(404);
  });

  it("takes numbers and texts where both may be", async () => {
    expect((await post(peer("a", { address: "192.0.2.1", hold: 3 }))).code).toBe(201);
    expect((await post(peer("b", { address: "192.0.2.1", hold: "3s" }))).code).toBe(201);
  });

  it("generation counts the wishes, not the status; /status changes nothing but the status", async () => {
    await post(peer("a", { address: "192.0.2.1" }));
    const status = await patch(`${PEERS}/a/status`, {
      metadata: { labels: { a: "b" } },
      spec: { port: 1 },
      status: { state: "Up" },
    });
    expect(status.json).toMatchObject({ spec: { port: 179 }, status: { state: "Up" }, metadata: { generation: 1 } });
    expect(status.json.metadata).not.toHaveProperty("labels");
    const main = await patch(`${PEERS}/a`, { spec: { port: 180 }, status: { state: "Down" } });
    expect(main.json).toMatchObject({ spec: { port: 180 }, status: { state: "Up" }, metadata: { generation: 2 } });
  });

  it("there is no strategic merge: 415", async () => {
    await post(peer("a", { address: "192.0.2.1" }));
    expect(await patch(`${PEERS}/a`, { spec: { port: 1 } }, "strategic-merge-patch+json")).toMatchObject({
      code: 415,
      json: { reason: "UnsupportedMediaType" },
    });
  });

  it("a PUT wants a version; items of a list say what they are", async () => {
    await post(peer("a", { address: "192.0.2.1" }));
    const unversioned = await ask(server, "PUT", `${PEERS}/a`, { body: peer("a", { address: "192.0.2.2" }) });
    expect(unversioned.json.message).toContain(
      "metadata.resourceVersion: Invalid value: 0: must be specified for an update",
    );
    expect((await get(server, PEERS)).json.items[0]).toMatchObject({
      apiVersion: "test.overland.dev/v1",
      kind: "Peer",
    });
  });

  it("its columns are printed, and its selectable fields select", async () => {
    await post(peer("a", { address: "192.0.2.1", mode: "Active" }));
    await post(peer("b", { address: "192.0.2.2", mode: "Passive" }));
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    const { json } = await get(server, `${PEERS}?fieldSelector=spec.mode%3DPassive`, { headers: { accept } });
    expect(json.columnDefinitions.map(({ name }: Anything) => name)).toEqual(["Name", "Address", "Port", "State"]);
    expect(json.rows).toMatchObject([
      { cells: ["b", "192.0.2.2", 179, null], object: { kind: "PartialObjectMetadata" } },
    ]);
  });
});

describe("a definition", () => {
  it("is not served before it is established, and its end is the end of its objects, watches and paths", async () => {
    const absent = await get(server, PEERS);
    expect(absent).toMatchObject({ code: 404, text: "404 page not found\n" });
    expect(absent.headers["content-type"]).toMatch(/^text\/plain/);
    await define();
    await post(peer("a", { address: "192.0.2.1" }));
    const seen = await WatchLines.open(server, `${PEERS}?watch=1&resourceVersion=0`);
    await seen.first(1);
    await ask(server, "DELETE", `${DEFINITIONS}/peers.test.overland.dev`);
    await seen.end();
    expect(seen.told).toEqual(["ADDED a", "DELETED a"]);
    expect(await get(server, PEERS)).toMatchObject({ code: 404, text: "404 page not found\n" });
    await define();
    expect((await get(server, PEERS)).json.items).toEqual([]);
  });

  it.each([
    [
      "a field without a type",
      { type: "object", properties: { spec: { properties: {} } } },
      /properties\[spec\]\.type: Required value/,
    ],
    ["a root that is no object", { type: "string" }, /must be object at the root/],
    [
      "additionalProperties beside properties",
      { type: "object", properties: {}, additionalProperties: { type: "string" } },
      /mutual exclusive/,
    ],
    [
      "look-ahead in a pattern",
      { type: "object", properties: { a: { type: "string", pattern: "^(?!x)" } } },
      /valid regular expression/,
    ],
    [
      "a type in anyOf",
      { type: "object", anyOf: [{ type: "object" }] },
      /anyOf\[0\]\.type: Forbidden: must be empty to be structural/,
    ],
    ["a list without items", { type: "object", properties: { a: { type: "array" } } }, /items: Required value/],
  ])("is refused with %s", async (_, schema, message) => {
    const body = { ...definition(schema), metadata: { name: "others.test.overland.dev" } };
    body.spec = { ...body.spec, names: { ...body.spec.names, plural: "others" } };
    const { code, json } = await ask(server, "POST", DEFINITIONS, { body });
    expect(code).toBe(422);
    expect(json.message).toMatch(message);
  });
});
