/**
 * HTTP: on the agent's unix socket for the CNI plugin, the command line and curl; on TCP for probes.
 *
 * A route is a method and a path; a handler gives status and body. Nothing else of HTTP is needed.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { dirname } from "node:path";

export interface Reply {
  readonly status: number;
  /** A string as it is; anything else as JSON. */
  readonly body: unknown;
}

export type Routes = Readonly<Record<string, (body: Uint8Array) => Promise<Reply> | Reply>>;

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
  const path = (message.url ?? "/").split("?")[0] as string;
  const handler = routes[`${message.method} ${path}`];
  try {
    const body = await bodyOf(message);
    if (body === undefined) return send(response, { status: 413, body: { error: "the request is too large" } });
    if (handler === undefined)
      return send(response, { status: 404, body: { error: `no such path: ${message.method} ${path}` } });
    send(response, await handler(body));
  } catch (error) {
    send(response, { status: 500, body: { error: (error as Error).message } });
  }
}

async function bodyOf(message: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += (chunk as Buffer).length;
    if (length > LARGEST_BODY) return undefined;
    chunks.push(chunk as Buffer);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, body }: Reply): void {
  const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": typeof body === "string" ? "text/plain; charset=utf-8" : "application/json",
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
