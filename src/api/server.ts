/**
 * HTTP: on a unix socket for the CNI plugin, the command line and curl; on TCP for probes and metrics.
 *
 * A route is a method and a path, in which `:name` stands for one segment; a handler gives status and body. A body that
 * comes in parts goes out as it comes, no faster than the other side reads.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { dirname } from "node:path";

// Imported as a module, all of node:http that is there only for browsers' habits is loaded too: 6 to 9 MiB.
const { createServer, request } = process.getBuiltinModule("node:http");

export type Parts = AsyncIterable<string | Uint8Array>;

export interface Reply {
  readonly status: number;
  /** A string as it is; {@link Parts} one after the other; anything else as JSON. */
  readonly body: unknown;
  /** Absent: plain text for a string, else JSON. */
  readonly type?: string;
}

export interface Asked {
  /** What stands in the path for `:name`, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export type Handler = (body: Uint8Array, asked: Asked) => Promise<Reply> | Reply;
export type Routes = Readonly<Record<string, Handler>>;

/** As much as the CNI plugin sends: what is larger it refuses itself, in the form that a runtime understands. */
const LARGEST_BODY = 16 * 1024 * 1024;

/** Throws when a living agent answers on the socket: two on one node would undo each other's work. */
export async function refuseSecond(path: string): Promise<void> {
  if (await answers(path)) throw new Error(`another agent answers on ${path}: stop it first`);
}

/** Takes the socket over from a dead agent, not from a living one. Only root may open it. */
export async function serveSocket(path: string, routes: Routes): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true });
  await refuseSecond(path);
  rmSync(path, { force: true });
  const server = httpServer(routes);
  await listening(server, () => server.listen({ path, backlog: 1024 }));
  chmodSync(path, 0o600);
  return server;
}

export async function serveHttp(host: string, port: number, routes: Routes): Promise<Server> {
  const server = httpServer(routes);
  await listening(server, () => server.listen({ host, port }));
  return server;
}

function httpServer(routes: Routes): Server {
  const server = createServer((message, response) => {
    void answer(message, response, routes);
  });
  server.keepAliveTimeout = 1000;
  return server;
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

async function answer(message: IncomingMessage, response: ServerResponse, routes: Routes): Promise<void> {
  try {
    const { pathname, searchParams: query } = new URL(message.url ?? "/", "http://overland");
    const found = findRoute(routes, message.method ?? "GET", pathname);
    const body = await bodyOf(message);
    if (body === undefined) return send(response, { status: 413, body: { error: "the request is too large" } });
    if (found === undefined)
      return send(response, { status: 404, body: { error: `no such path: ${message.method} ${pathname}` } });
    const reply = await found.handler(body, { params: found.params, query });
    if (isParts(reply.body)) await sendParts(response, reply, reply.body);
    else send(response, reply);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else send(response, { status: 500, body: { error: (error as Error).message } });
  }
}

interface FoundRoute {
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
}

function findRoute(routes: Routes, method: string, path: string): FoundRoute | undefined {
  const exact = routes[`${method} ${path}`];
  if (exact !== undefined) return { handler: exact, params: {} };
  const segments = path.split("/");
  for (const [route, handler] of Object.entries(routes)) {
    if (!route.includes(":") || !route.startsWith(`${method} `)) continue;
    const params = matched(route.slice(method.length + 1).split("/"), segments);
    if (params !== undefined) return { handler, params };
  }
  return undefined;
}

function matched(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] as string;
    if (part.startsWith(":")) params[part.slice(1)] = decoded(segment);
    else if (part !== segment) return undefined;
  }
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function isParts(body: unknown): body is Parts {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** When the other side goes away, the rest is not asked for. */
async function sendParts(response: ServerResponse, { status, type }: Reply, parts: Parts): Promise<void> {
  response.writeHead(status, { "content-type": type ?? "application/json" });
  // The first part may be long in coming, and whoever waits for it wants to know that it was heard.
  response.flushHeaders();
  const iterator = parts[Symbol.asyncIterator]();
  const gone = () => response.destroyed;
  const end = () => void iterator.return?.();
  response.once("close", end);
  if (gone()) end();
  for (;;) {
    const next = await iterator.next();
    if (next.done === true || gone()) break;
    if (!response.write(next.value)) await room(response);
  }
  response.end();
}

/** Resolves when the response takes more, or nobody reads it any more. */
function room(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.once("drain", go);
    response.once("close", go);
  });
}

/** By events: an iterator of the stream costs several times as much, for one chunk nearly always. */
function bodyOf(message: IncomingMessage): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    message.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= LARGEST_BODY) return void chunks.push(chunk);
      // What still comes is read and forgotten, so that the answer can be heard.
      chunks.length = 0;
      resolve(undefined);
    });
    message.on("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    message.on("error", reject);
  });
}

function send(response: ServerResponse, { status, body, type }: Reply): void {
  const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": type ?? (typeof body === "string" ? "text/plain; charset=utf-8" : "application/json"),
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Whether a process accepts connections there: a file left by a dead one does not. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: path, path: "/livez", timeout: 1000 }, (response) => {
      response.resume();
      resolve(true);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
