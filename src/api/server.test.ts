import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type Routes, serveSocket } from "./server.ts";

let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "overland-api-"));
});

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(routes: Routes): Promise<void> {
  server = await serveSocket(join(folder, "socket"), routes);
}

function ask(method: string, path: string, body = ""): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(folder, "socket"), method, path }, resolve);
    asked.on("error", reject);
    asked.end(body);
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of answer) text += String(part);
  return text;
}

describe("routes", () => {
  it("have segments that stand for anything, and a query", async () => {
    await serve({
      "GET /v1/things": () => ({ status: 200, body: "all" }),
      "GET /v1/things/:name/parts/:part": (_body, { params, query }) => ({
        status: 200,
        body: { ...params, wide: query.get("wide") },
      }),
      "POST /v1/things/:name": (body) => ({ status: 201, body: Buffer.from(body).toString() }),
    });
    expect(await textOf(await ask("GET", "/v1/things"))).toBe("all");
    const parts = await ask("GET", "/v1/things/a%2Fb%20c/parts/1?wide=yes");
    expect(parts.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(await textOf(parts))).toEqual({ name: "a/b c", part: "1", wide: "yes" });
    const posted = await ask("POST", "/v1/things/x", "hello");
    expect([posted.statusCode, await textOf(posted)]).toEqual([201, "hello"]);
    const missing = await ask("GET", "/v1/things/x");
    expect([missing.statusCode, JSON.parse(await textOf(missing))]).toEqual([
      404,
      { error: "no such path: GET /v1/things/x" },
    ]);
    expect((await ask("GET", "/v1/things/%E0%A4/parts/2")).statusCode).toBe(200);
  });
});

describe("a body in parts", () => {
  it("goes out as it comes", async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve({
      "GET /parts": () => ({
        status: 200,
        type: "application/x-ndjson",
        body: (async function* () {
          yield "first\n";
          await released;
          yield Buffer.from("second\n");
        })(),
      }),
    });
    const answer = await ask("GET", "/parts");
    expect(answer.headers["content-type"]).toBe("application/x-ndjson");
    const parts: string[] = [];
    for await (const part of answer) {
      parts.push(String(part));
      release();
    }
    expect(parts.join("")).toBe("first\nsecond\n");
    expect(parts.length).toBeGreaterThan(1);
  });

  it("is made no faster than it is read, and no longer than somebody reads", async () => {
    let made = 0;
    const state = { ended: false };
    await serve({
      "GET /endless": () => ({
        status: 200,
        body: (async function* () {
          try {
            for (;;) {
              made++;
              yield "x".repeat(65_536);
            }
          } finally {
            state.ended = true;
          }
        })(),
      }),
    });
    const answer = await ask("GET", "/endless");
    answer.pause();
    await sleep(200);
    const before = made;
    await sleep(200);
    expect(made).toBe(before);
    expect(made).toBeLessThan(100);
    answer.destroy();
    for (let i = 0; i < 100 && !state.ended; i++) await sleep(20);
    expect(state.ended).toBe(true);
  });

  it("that breaks off in the middle is not taken for a whole one", async () => {
    await serve({
      "GET /broken": () => ({
        status: 200,
        body: (async function* () {
          yield "half";
          await sleep(20);
          throw new Error("no more");
        })(),
      }),
    });
    await expect(ask("GET", "/broken").then(textOf)).rejects.toMatchObject({ code: "ECONNRESET" });
  });
});
