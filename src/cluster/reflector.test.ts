import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { ResourceType, WatchListener } from "./port.ts";
import { Reflector, usualPace } from "./reflector.ts";
import { line, ServerForTests, status, type Thing } from "./server-for-tests.ts";
import { KeptConnections } from "./transport.ts";

const THINGS: ResourceType = {
  group: "example.org",
  version: "v1",
  plural: "things",
  kind: "Thing",
  namespaced: false,
};
const PACE = { ...usualPace, firstPauseMs: 2, longestPauseMs: 40, longestPauseWithProgressMs: 20, random: () => 0.5 };

/** What is known by what was told. */
class Seen implements WatchListener<string> {
  known: Record<string, string> = {};
  snapshots = 0;
  readonly said: (string | undefined)[] = [];
  calls = 0;

  snapshot(objects: ReadonlyMap<string, string>): void {
    this.calls++;
    this.snapshots++;
    this.known = Object.fromEntries(objects);
  }

  change(key: string, object: string | undefined): void {
    this.calls++;
    if (object === undefined) delete this.known[key];
    else this.known[key] = object;
  }

  health(problem: string | undefined): void {
    this.calls++;
    this.said.push(problem);
  }
}

let server: ServerForTests;
let transport: KeptConnections;
let seen: Seen;
let reflector: Reflector<Thing, string>;
const warnings: string[] = [];

function follow(keep = (thing: Thing) => thing.spec ?? "", pace = PACE, to: WatchListener<string> = seen) {
  const warn = (message: string) => void warnings.push(message);
  reflector = new Reflector(transport, { type: THINGS }, keep, to, pace, warn);
  reflector.start();
}

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + 4_000; !what(); ) {
    if (Date.now() > end) throw new Error(`waited for nothing: ${JSON.stringify(seen)} ${server.requests.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const streaming = () => until(() => server.streams.size === 1);
const knows = (known: Record<string, string>) =>
  until(() => JSON.stringify(Object.entries(seen.known).sort()) === JSON.stringify(Object.entries(known).sort()));

beforeEach(async () => {
  server = await ServerForTests.start();
  transport = new KeptConnections(server.credentials);
  seen = new Seen();
  warnings.length = 0;
});

afterEach(async () => {
  reflector.stop();
  transport.close();
  await server.close();
});

describe("the reflector", () => {
  it("tells a snapshot, read page by page, and then changes", async () => {
    for (let n = 0; n < 600; n++) server.put(`t${n}`, "x");
    follow();
    expect(reflector.synced).toBe(false);
    await streaming();
    expect([Object.keys(seen.known).length, seen.snapshots, reflector.synced]).toEqual([600, 1, true]);
    expect(server.lists.length).toBeGreaterThan(1);
    expect(server.watches[0]).toMatch(
      /^\/apis\/example.org\/v1\/things\?watch=1&allowWatchBookmarks=true&resourceVersion=610&timeoutSeconds=450$/,
    );
    server.put("new", "1");
    server.put("new", "2");
    server.remove("t0");
    await until(() => seen.known["new"] === "2" && seen.known["t0"] === undefined);
    expect(seen.said).toEqual([]);
    expect(server.connections).toBe(1);
  });

  it("goes on from the last version it heard, be it of a bookmark", async () => {
    follow();
    await streaming();
    server.put("a", "1");
    server.version = 500;
    server.end(line("BOOKMARK", { metadata: { resourceVersion: "500" } }));
    await until(() => server.watches.length === 2);
    expect(server.watches[1]).toContain("resourceVersion=500&");
    server.put("a", "2");
    await knows({ a: "2" });
    expect([seen.snapshots, seen.said]).toEqual([1, []]);
  });

  it("misses nothing over broken connections", async () => {
    follow();
    await streaming();
    const known: Record<string, string> = {};
    for (let n = 0; n < 30; n++) {
      server.put(`t${n % 7}`, String(n));
      known[`t${n % 7}`] = String(n);
      if (n % 3 === 0) server.reset();
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await knows(known);
    expect(seen.snapshots).toBe(1);
  });

  it.each([
    ["in the stream", undefined],
    ["as HTTP status", status(410, "Expired")],
  ])("lists again when its version is gone, told %s", async (_, answer) => {
    server.put("gone", "1");
    server.put("again", "1", "uid-1");
    follow();
    await streaming();
    server.always = status(503, "ServiceUnavailable");
    server.reset();
    await until(() => seen.said.length > 0);
    expect(reflector.synced).toBe(false);
    server.remove("gone");
    server.remove("again");
    server.put("again", "2", "uid-2");
    server.compact();
    server.next(...(answer === undefined ? [] : [answer]));
    server.always = undefined;
    await knows({ again: "2" });
    await until(() => reflector.synced);
    expect([seen.snapshots, seen.said.at(-1)]).toEqual([2, undefined]);
  });

  it("begins the list anew when the token of the next page is over, at last in one piece", async () => {
    for (let n = 0; n < 300; n++) server.put(`t${n}`, "x");
    const page = (_: unknown, response: import("node:http").ServerResponse) => {
      const items = [{ metadata: { name: "of-an-old-version" } }];
      response.end(JSON.stringify({ metadata: { resourceVersion: "9", continue: "1" }, items }));
    };
    const over = status(410, "Expired");
    server.next(status(422, "Invalid"), page, over, page, over, page, over);
    follow();
    await until(() => reflector.synced);
    expect([Object.keys(seen.known).length, seen.known["of-an-old-version"]]).toEqual([300, undefined]);
    expect(server.lists.at(-1)).toBe("/apis/example.org/v1/things");
  });

  it("waits as long as the server asks for", async () => {
    const at: number[] = [];
    server.next(status(422, "Invalid"), (request, response) => {
      at.push(performance.now());
      status(429, "TooManyRequests", { "retry-after": "1" })(request, response);
    });
    follow();
    await streaming();
    expect(server.requests).toHaveLength(4);
    expect(performance.now() - (at[0] as number)).toBeGreaterThan(900);
  });

  it("asks for new credentials at 401, and says at 403 what to allow", async () => {
    server.put("a", "1");
    server.always = status(401, "Unauthorized");
    follow();
    await until(() => server.refusals > 1 && seen.said.length > 0);
    expect(seen.said.at(-1)).toMatch(/does not accept the credentials/);
    server.always = status(403, "Forbidden");
    await until(() => seen.said.at(-1)?.includes("not allowed") === true);
    expect(seen.said.at(-1)).toContain(
      'cannot watch things.example.org: not allowed; add to its ClusterRole or Role: {apiGroups: ["example.org"], ' +
        'resources: ["things"], verbs: ["watch"]}',
    );
    expect([reflector.synced, seen.snapshots]).toEqual([false, 0]);
    server.always = undefined;
    await until(() => reflector.synced);
    await until(() => seen.said.at(-1) === undefined);
    expect(seen.known).toEqual({ a: "1" });
  });

  it("waits for a type that is not served, keeps what it knew when it goes, and takes what comes back", async () => {
    const absent = (_: unknown, response: import("node:http").ServerResponse) => {
      response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
    };
    server.always = absent;
    // Of other failures there would be no end for minutes.
    follow(undefined, { ...PACE, longestPauseMs: 600_000 });
    await until(() => server.requests.length > 20);
    expect(seen.said[0]).toMatch(/does not know things.example.org\/v1; are the CustomResourceDefinitions installed\?/);
    server.always = undefined;
    server.put("a", "1");
    await knows({ a: "1" });
    await streaming();
    server.always = absent;
    server.end();
    await until(() => !reflector.synced);
    expect(seen.known).toEqual({ a: "1" });
    server.remove("a");
    server.put("b", "1");
    server.compact();
    server.always = undefined;
    await knows({ b: "1" });
  });

  it.each([
    ["and the connection broke", true],
    ["and ended in an orderly way", false],
  ])("forgets a line that was cut %s, and gets it again", async (_, broke) => {
    follow();
    await streaming();
    const [stream] = server.streams.keys();
    server.streams.clear();
    server.put("a", "x".repeat(1000));
    stream?.write(line("ADDED", { metadata: { name: "a", resourceVersion: "11" }, spec: "y" }).slice(0, 40), () => {
      if (broke) stream.destroy();
      else stream.end();
    });
    await knows({ a: "x".repeat(1000) });
    expect(server.watches[1]).toContain("resourceVersion=10&");
  });

  it("takes lines as they are, however they are cut and whatever separators are in them", async () => {
    follow();
    await streaming();
    const text = "one\u2028two\u2029three \u{1f333} ü\r";
    const octets = Buffer.from(line("ADDED", { metadata: { name: "a", resourceVersion: "11" }, spec: text }).repeat(3));
    const [stream] = server.streams.keys();
    for (const octet of octets) {
      stream?.write(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    await knows({ a: text });
    expect([server.watches.length, seen.said]).toEqual([1, []]);
  });
});

describe("the reflector, where a watch can begin with everything", () => {
  beforeEach(() => {
    server.streamsAll = true;
    server.put("a", "1");
    server.put("b", "1");
  });

  it("needs one request", async () => {
    follow();
    await knows({ a: "1", b: "1" });
    server.put("a", "2");
    server.remove("b");
    await knows({ a: "2" });
    expect([server.requests.length, seen.snapshots, seen.said, reflector.synced]).toEqual([1, 1, [], true]);
    server.reset();
    await until(() => server.watches.length === 1);
    expect(server.watches[0]).toContain("resourceVersion=14&");
  });

  it("does so again when its version is gone", async () => {
    follow();
    await until(() => reflector.synced);
    server.end();
    server.remove("a");
    server.put("c", "1");
    server.compact();
    await knows({ b: "1", c: "1" });
    expect([seen.snapshots, server.lists]).toEqual([2, []]);
  });

  it("tells nothing of a first part that broke off, and reads pages after the third", async () => {
    const half = (_: unknown, response: import("node:http").ServerResponse) => {
      response.write(line("ADDED", { metadata: { name: "half", resourceVersion: "11" } }), () => response.destroy());
    };
    server.next(half, half);
    follow();
    await knows({ a: "1", b: "1" });
    expect([seen.snapshots, seen.said, server.lists]).toEqual([1, [], []]);
    server.next(status(410, "Expired"), half, half, half);
    server.reset();
    await until(() => seen.snapshots === 2 && reflector.synced);
    expect(server.lists).toHaveLength(1);
    expect(seen.known).toEqual({ a: "1", b: "1" });
  });

  it("does not wait for ever for the mark that everything was told", async () => {
    const silent = (_: unknown, response: import("node:http").ServerResponse) => {
      response.writeHead(200).write(line("ADDED", { metadata: { name: "a", resourceVersion: "11" }, spec: "1" }));
    };
    server.next(silent, silent, silent);
    follow(undefined, { ...PACE, quietMs: 40 });
    await until(() => seen.snapshots > 0);
    expect(seen.known).toEqual({ a: "1", b: "1" });
  });
});

describe("the reflector's pace", () => {
  it("a server that ends each stream after one event is not asked without pause", async () => {
    let version = 10;
    server.always = (request, response) => {
      if (!(request.url ?? "").includes("watch=1")) {
        return void response.end(JSON.stringify({ metadata: { resourceVersion: "10" }, items: [] }));
      }
      version++;
      response.end(line("MODIFIED", { metadata: { name: "a", resourceVersion: String(version) }, spec: "x" }));
    };
    follow(undefined, { ...PACE, longestPauseWithProgressMs: 60_000, longestPauseMs: 60_000 });
    await until(() => server.watches.length >= 6);
    // Pauses double: 1.5, 3, 6, … ms. In 1.5 s no more than ten are made.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(server.watches.length).toBeLessThan(12);
  });

  it("a stream at which nothing comes is opened again, and a version from the future is given up", async () => {
    server.put("a", "1");
    follow(undefined, { ...PACE, quietMs: 60 });
    await streaming();
    await until(() => server.watches.length >= 3);
    expect([seen.snapshots, seen.said, server.connections <= 3]).toEqual([1, [], true]);
    server.restore(5);
    server.put("a", "restored");
    await knows({ a: "restored" });
    expect(seen.snapshots).toBe(2);
  });

  it("streams that break again and again are said", async () => {
    follow();
    await streaming();
    server.always = (_, response) => {
      response.writeHead(200).flushHeaders();
      setTimeout(() => response.destroy(), 5);
    };
    server.reset();
    await until(() => seen.said.length > 0);
    expect(server.watches.length).toBeGreaterThan(2);
    expect([seen.said[0], reflector.synced]).toEqual([expect.stringContaining("the connection broke"), false]);
    server.always = undefined;
    await until(() => reflector.synced);
  });

  it("an error in the stream is said, and a version that only brings errors is given up", async () => {
    server.put("a", "1");
    const fails = (_: unknown, response: import("node:http").ServerResponse) => {
      response.end(line("ERROR", { kind: "Status", code: 500, reason: "InternalError", message: "no" }));
    };
    const noJson = (_: unknown, response: import("node:http").ServerResponse) => void response.end("<html>\n");
    follow();
    await streaming();
    server.next(fails, noJson);
    server.reset();
    await until(() => seen.snapshots === 2);
    await until(() => reflector.synced);
    expect(seen.said.filter((said) => said !== undefined)).toHaveLength(2);
    expect(seen.said[0]).toMatch(/cannot watch things.example.org: no \(500\)/);
  });

  it("what cannot be understood, or taken, is left out and the rest goes on", async () => {
    server.put("bad", "1");
    server.put("good", "1");
    follow(
      (thing) => {
        if (thing.metadata.name === "bad") throw new Error("no spec");
        return thing.spec ?? "";
      },
      PACE,
      {
        snapshot: (objects) => seen.snapshot(objects),
        change: (key, object) => {
          if (key === "poison") throw new Error("boom");
          seen.change(key, object);
        },
        health: (problem) => seen.health(problem),
      },
    );
    await streaming();
    server.put("poison", "1");
    server.put("bad", "2");
    server.put("good", "2");
    await knows({ good: "2" });
    expect(warnings).toHaveLength(3);
    expect(seen.said).toEqual([]);
  });
});

describe("a stop of the reflector", () => {
  const silent = async () => {
    const { calls } = seen;
    const asked = server.requests.length;
    server.put("after", "1");
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect([seen.calls, server.requests.length]).toEqual([calls, asked]);
    expect([reflector.synced, server.streams.size]).toEqual([false, 0]);
  };

  it("is final while it streams", async () => {
    follow();
    await streaming();
    reflector.stop();
    await until(() => server.streams.size === 0);
    await silent();
  });

  it("is final while it lists", async () => {
    let answer: () => void = () => {};
    server.next((_, response) => {
      answer = () => void response.end(JSON.stringify({ metadata: { resourceVersion: "10" }, items: [] }));
    });
    follow();
    await until(() => server.requests.length === 1);
    reflector.stop();
    answer();
    await silent();
    expect(seen.calls).toBe(0);
  });

  it("is final while it waits to try again, and when the listener itself stops it", async () => {
    server.always = status(500, "InternalError");
    follow(undefined, { ...PACE, firstPauseMs: 50 });
    await until(() => seen.said.length === 1);
    reflector.stop();
    await silent();
    server.always = undefined;
    seen = new Seen();
    const stopping: WatchListener<string> = {
      snapshot: (objects) => {
        seen.snapshot(objects);
        reflector.stop();
      },
      change: () => void seen.calls++,
      health: () => void seen.calls++,
    };
    follow(undefined, PACE, stopping);
    await until(() => seen.calls === 1);
    await silent();
  });
});
