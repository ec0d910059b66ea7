/** Versions, pages and watches: what the API server of the tests does on the wire, as the real one does. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type Anything, ask, get, WatchLines } from "../harness/api-client.ts";
import { ApiServer } from "../harness/api-server.ts";
import { always, eventually } from "../harness/wait.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

let server: ApiServer;
const open: WatchLines[] = [];

beforeAll(async () => {
  server = await ApiServer.start();
});
beforeEach(async () => {
  await ask(server, "DELETE", MAPS);
  await ask(server, "DELETE", `${PODS}?gracePeriodSeconds=0`);
});
afterAll(async () => {
  for (const watch of open) watch.close();
  await server.remove();
});

const map = (name: string, data: object = {}, labels: object = {}) => ({ metadata: { name, labels }, data });
const create = async (name: string, data: object = {}, labels: object = {}): Promise<Anything> =>
  (await ask(server, "POST", MAPS, { body: map(name, data, labels) })).json;
const pod = (name: string, nodeName: string) => ({
  metadata: { name },
  spec: { nodeName, containers: [{ name: "c", image: "i:1" }] },
});
const version = async (): Promise<number> => Number((await get(server, MAPS)).json.metadata.resourceVersion);
const watch = async (path: string): Promise<WatchLines> => {
  const opened = await WatchLines.open(server, path);
  open.push(opened);
  return opened;
};
const merge = (path: string, body: object) =>
  ask(server, "PATCH", path, { body, type: "application/merge-patch+json" });

describe("versions", () => {
  it("one counter counts changes of all kinds, and a list says the store's, not the newest item's", async () => {
    const first = await create("a");
    await ask(server, "POST", PODS, { body: pod("p", "n") });
    const { json } = await get(server, MAPS);
    expect(json.metadata.resourceVersion).toBe(String(Number(first.metadata.resourceVersion) + 1));
    expect(json.items[0].metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it("a write that changes nothing gives no version and no event", async () => {
    const made = await create("a", { k: "v" });
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${made.metadata.resourceVersion}`);
    const again = await merge(`${MAPS}/a`, { data: { k: "v" } });
    expect(again.json.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    await merge(`${MAPS}/a`, { data: { k: "w" } });
    expect((await seen.first(1))[0].object.data).toEqual({ k: "w" });
    expect(seen.lines).toHaveLength(1);
  });

  it("items of built-in lists do not repeat apiVersion and kind; watch events and single objects say them", async () => {
    await create("a");
    const { json } = await get(server, MAPS);
    expect(json).toMatchObject({ kind: "ConfigMapList", apiVersion: "v1" });
    expect(json.items[0]).not.toHaveProperty("kind");
    expect((await get(server, `${MAPS}/a`)).json).toMatchObject({ kind: "ConfigMap", apiVersion: "v1" });
  });
});

describe("pages", () => {
  const names = ["a", "b", "c", "d", "e"];

  it("continue and remainingItemCount; the first page's version and content hold for all pages", async () => {
    for (const name of names) await create(name);
    const first = (await get(server, `${MAPS}?limit=2`)).json;
    expect(first.metadata.remainingItemCount).toBe(3);
    await create("bb");
    await ask(server, "DELETE", `${MAPS}/d`);
    await merge(`${MAPS}/c`, { data: { late: "yes" } });
    const second = (await get(server, `${MAPS}?limit=2&continue=${first.metadata.continue}`)).json;
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(second.items.map((item: Anything) => item.metadata.name)).toEqual(["c", "d"]);
    expect(second.items[0]).not.toHaveProperty("data.late");
    const third = (await get(server, `${MAPS}?limit=2&continue=${second.metadata.continue}`)).json;
    expect(third.items.map((item: Anything) => item.metadata.name)).toEqual(["e"]);
    expect(third.metadata).not.toHaveProperty("continue");
  });

  it("with a selector nobody says how many remain, and a page is full of what is selected", async () => {
    for (const name of names) await create(name, {}, { odd: names.indexOf(name) % 2 === 0 ? "no" : "yes" });
    const { json } = await get(server, `${MAPS}?limit=2&labelSelector=odd%3Dno`);
    expect(json.items.map((item: Anything) => item.metadata.name)).toEqual(["a", "c"]);
    expect(json.metadata).toHaveProperty("continue");
    expect(json.metadata).not.toHaveProperty("remainingItemCount");
  });

  it("a token from before a compaction is HTTP 410 with a fresh, inconsistent token", async () => {
    for (const name of names) await create(name);
    const first = (await get(server, `${MAPS}?limit=2`)).json;
    await create("cc");
    await server.compact();
    const late = await get(server, `${MAPS}?limit=2&continue=${first.metadata.continue}`);
    expect(late.code).toBe(410);
    expect(late.json).toMatchObject({ kind: "Status", reason: "Expired", code: 410 });
    const rest = (await get(server, `${MAPS}?continue=${late.json.metadata.continue}`)).json;
    expect(rest.items.map((item: Anything) => item.metadata.name)).toEqual(["c", "cc", "d", "e"]);
  });

  it("exactly a former version, until that is compacted: 410", async () => {
    const made = await create("a");
    await create("b");
    const path = `${MAPS}?resourceVersion=${made.metadata.resourceVersion}&resourceVersionMatch=Exact`;
    const { json } = await get(server, path);
    expect(json.items).toHaveLength(1);
    expect(json.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    await server.compact();
    expect(await get(server, path)).toMatchObject({ code: 410, json: { reason: "Expired" } });
  });

  it("a version to come: 504 after a while, with the cause and when to try again", async () => {
    const later = await get(server, `${MAPS}?resourceVersion=${(await version()) + 1000}`);
    expect(later).toMatchObject({
      code: 504,
      json: { reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }], retryAfterSeconds: 1 } },
      headers: { "retry-after": "1" },
    });
  });

  it("resourceVersion=0 has no pages: the watch cache gives everything whatever the limit", async () => {
    for (const name of names) await create(name);
    const { json } = await get(server, `${MAPS}?limit=2&resourceVersion=0`);
    expect(json.items).toHaveLength(5);
    expect(json.metadata).not.toHaveProperty("continue");
  });

  it("a token nobody gave: 400", async () => {
    expect((await get(server, `${MAPS}?continue=nonsense`)).code).toBe(400);
  });
});

describe("watches", () => {
  it("200, application/json, chunked, a JSON object a line, and Go's escapes", async () => {
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${await version()}`);
    await create("a", { text: "<&>\u2028\u2029" });
    await seen.first(1);
    expect(seen.code).toBe(200);
    expect(seen.headers).toMatchObject({ "content-type": "application/json", "transfer-encoding": "chunked" });
    expect(seen.lines[0]).toContain(String.raw`\u003c\u0026\u003e\u2028\u2029`);
    expect(seen.rest).toBe("");
  });

  it("from a version: all that came after it, then what comes", async () => {
    const { metadata } = await create("a");
    await create("b");
    await ask(server, "DELETE", `${MAPS}/a`);
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`);
    await seen.first(2);
    await create("c");
    await seen.first(3);
    expect(seen.told).toEqual(["ADDED b", "DELETED a", "ADDED c"]);
    const versions = seen.events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((one, other) => one - other));
    expect(Number(versions[1])).toBeGreaterThan(Number(metadata.resourceVersion));
  });

  it("resourceVersion=0 with bookmarks: what is there, then a bookmark that says so", async () => {
    await create("a");
    await create("b");
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=0&allowWatchBookmarks=true`);
    const [, , bookmark] = await seen.first(3);
    expect(seen.told).toEqual(["ADDED a", "ADDED b", "BOOKMARK"]);
    expect(bookmark.object).toEqual({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: {
        resourceVersion: String(await version()),
        annotations: { "k8s.io/initial-events-end": "true" },
      },
    });
  });

  it("sendInitialEvents wants resourceVersionMatch=NotOlderThan", async () => {
    await create("a");
    const wrong = await get(server, `${MAPS}?watch=1&sendInitialEvents=true`);
    expect(wrong).toMatchObject({ code: 422, json: { reason: "Invalid" } });
    const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const seen = await watch(`${MAPS}?${query}`);
    await seen.first(2);
    expect(seen.told).toEqual(["ADDED a", "BOOKMARK"]);
  });

  it("bookmarks carry the store's version, for those who asked for them", async () => {
    const from = await version();
    const [asked, silent] = [
      await watch(`${MAPS}?watch=1&resourceVersion=${from}&allowWatchBookmarks=true`),
      await watch(`${MAPS}?watch=1&resourceVersion=${from}`),
    ];
    await ask(server, "POST", PODS, { body: pod("elsewhere", "n") });
    await server.control("/bookmark");
    const [bookmark] = await asked.first(1);
    expect(Number(bookmark.object.metadata.resourceVersion)).toBe(from + 1);
    expect(silent.lines).toEqual([]);
  });

  it("what leaves a selection is DELETED, as it last was in it, with the version at which it left; what enters is ADDED", async () => {
    await create("a", { k: "1" }, { app: "web" });
    await create("other", {}, { app: "db" });
    const seen = await watch(`${MAPS}?watch=1&labelSelector=app%3Dweb&resourceVersion=${await version()}`);
    const left = await merge(`${MAPS}/a`, { metadata: { labels: { app: "db" } }, data: { k: "2" } });
    await merge(`${MAPS}/other`, { metadata: { labels: { app: "web" } } });
    const [gone] = await seen.first(2);
    expect(seen.told).toEqual(["DELETED a", "ADDED other"]);
    expect(gone.object).toMatchObject({
      data: { k: "1" },
      metadata: { labels: { app: "web" }, resourceVersion: left.json.metadata.resourceVersion },
    });
  });

  it("a pod's node is a field selector", async () => {
    for (const [name, node] of Object.entries({ p1: "n1", p2: "n2" }))
      await ask(server, "POST", PODS, { body: pod(name, node) });
    const seen = await watch("/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn2&resourceVersion=0");
    await ask(server, "POST", PODS, { body: pod("p3", "n1") });
    await ask(server, "POST", PODS, { body: pod("p4", "n2") });
    await seen.first(2);
    expect(seen.told).toEqual(["ADDED p2", "ADDED p4"]);
  });

  it("timeoutSeconds ends it cleanly", async () => {
    const seen = await watch(`${MAPS}?watch=1&timeoutSeconds=1&resourceVersion=${await version()}`);
    await seen.end();
    expect(seen).toMatchObject({ ended: "cleanly", lines: [], rest: "" });
  });

  it("a version that was compacted: 200, one ERROR line with a Status of 410, and the end; never an HTTP 410", async () => {
    const from = await version();
    await create("a");
    await server.compact();
    const seen = await (await watch(`${MAPS}?watch=1&resourceVersion=${from}`)).end();
    expect(seen.code).toBe(200);
    expect(seen.lines).toHaveLength(1);
    expect(seen.events[0]).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
    expect(seen.events[0].object.message).toMatch(/^too old resource version: \d+ \(\d+\)$/);
  });

  it("an open watch can meet it too", async () => {
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${await version()}`);
    await server.expireWatches();
    await seen.end();
    expect(seen.events).toMatchObject([{ type: "ERROR", object: { code: 410 } }]);
  });

  it("a version to come: headers and no bytes, until that version has passed", async () => {
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${(await version()) + 1}`);
    expect(seen.code).toBe(200);
    await create("early");
    await create("late");
    await seen.first(1);
    expect(seen.told).toEqual(["ADDED late"]);
  });

  it("a version that is none: HTTP 500", async () => {
    expect((await get(server, `${MAPS}?watch=1&resourceVersion=abc`)).code).toBe(500);
  });

  it("a quiet stream has no bytes at all", async () => {
    const seen = await watch(`${MAPS}?watch=1&resourceVersion=${await version()}`);
    await always("nothing is said", 2, () => seen.lines.length === 0 && seen.rest === "" && seen.ended === "no");
  });
});

describe("selectors", () => {
  const chosen = async (selector: string): Promise<string> => {
    const { json } = await get(server, `${MAPS}?labelSelector=${encodeURIComponent(selector)}`);
    return json.items?.map((item: Anything) => item.metadata.name).join("") ?? json.message;
  };

  it.each([
    ["app=web", "a"],
    ["app==web", "a"],
    ["app!=web", "bc"],
    ["app in (web, db)", "ab"],
    ["app notin (web,db)", "c"],
    ["app", "ab"],
    ["!app", "c"],
    ["app in (web,db),tier!=front", "b"],
    ["", "abc"],
  ])("%s", async (selector, names) => {
    await create("a", {}, { app: "web", tier: "front" });
    await create("b", {}, { app: "db" });
    await create("c");
    expect(await chosen(selector)).toBe(names);
  });

  it("what is no selector is 400", async () => {
    expect((await get(server, `${MAPS}?labelSelector=a%20b%20c`)).code).toBe(400);
  });

  it("an unknown field is 400, and the known ones are named", async () => {
    const { code, json } = await get(server, `${PODS}?fieldSelector=spec.hostname%3Dx`);
    expect(code).toBe(400);
    expect(json.message).toContain("field label not supported: spec.hostname");
    expect(json.message).toContain("spec.nodeName");
  });

  it("metadata.name is a field of every kind, also of a watch", async () => {
    await create("a");
    const seen = await watch(`${MAPS}?watch=1&fieldSelector=metadata.name%3Db&resourceVersion=0`);
    await create("b");
    await eventually("b is told", 5, () => seen.told.join() === "ADDED b");
  });
});
