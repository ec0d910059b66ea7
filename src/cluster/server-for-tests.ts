/**
 * A server of one collection that answers as told: lists in pages, watches, and whatever a test puts in their way.
 * Small on purpose: what a whole API server does is tried against the one in e2e/.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Credentials } from "./credentials.ts";
import type { KubeObject } from "./port.ts";

export interface Thing extends KubeObject {
  readonly spec?: string;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Change {
  readonly type: string;
  readonly object: Thing;
  readonly version: number;
}

export class ServerForTests {
  readonly #server = createServer((request, response) => this.#serve(request, response));
  readonly #things = new Map<string, Thing>();
  readonly #changes: Change[] = [];
  readonly #next: Answer[] = [];
  readonly #sockets = new Set<Socket>();
  /** Open watches, and from which version each was asked for. */
  readonly streams = new Map<ServerResponse, number>();
  /** Path and query of each request. */
  readonly requests: string[] = [];
  /** Headers of the last one. */
  headers: IncomingMessage["headers"] = {};
  /** Told to in place of every answer that no test asked for. */
  always: Answer | undefined;
  version = 10;
  /** Versions below are forgotten. */
  oldest = 0;
  refusals = 0;
  /** Watches can begin with everything there is (KEP-3157). */
  streamsAll = false;

  static async start(): Promise<ServerForTests> {
    const made = new ServerForTests();
    made.#server.on("connection", (socket) => {
      made.#sockets.add(socket);
      socket.on("close", () => made.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get credentials(): Credentials {
    const { port } = this.#server.address() as AddressInfo;
    const access = { server: new URL(`http://127.0.0.1:${port}`), tls: {}, headers: {} };
    return { current: () => Promise.resolve(access), refused: () => void this.refusals++ };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get watches(): string[] {
    return this.requests.filter((url) => url.includes("watch=1") && !url.includes("sendInitialEvents"));
  }

  get lists(): string[] {
    return this.requests.filter((url) => !url.includes("watch=1"));
  }

  put(name: string, spec: string, uid = `uid-${name}`): void {
    const type = this.#things.has(name) ? "MODIFIED" : "ADDED";
    this.version++;
    const object = { metadata: { name, uid, resourceVersion: String(this.version) }, spec };
    this.#things.set(name, object);
    this.#tell({ type, object, version: this.version });
  }

  remove(name: string): void {
    const { metadata, ...rest } = this.#things.get(name) as Thing;
    this.#things.delete(name);
    this.version++;
    const object = { ...rest, metadata: { ...metadata, resourceVersion: String(this.version) } };
    this.#tell({ type: "DELETED", object, version: this.version });
  }

  /** Everything from before is forgotten: who watches from there is told 410. */
  compact(): void {
    this.oldest = this.version;
    this.#changes.length = 0;
  }

  /** The store is that of a backup: its counter stands before what was told. */
  restore(version: number): void {
    this.version = version;
    this.#changes.length = 0;
  }

  /** The next requests are answered so, one each. */
  next(...answers: Answer[]): void {
    this.#next.push(...answers);
  }

  /** Ends all streams in an orderly way, after these last words. */
  end(words?: string): void {
    for (const stream of this.streams.keys()) stream.end(words);
    this.streams.clear();
  }

  /** Ends all connections in the middle. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A watch as it should be. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    const all = query.has("sendInitialEvents");
    if (all && !this.streamsAll) return status(422, "Invalid")(request, response);
    const from = all ? this.version : Number(query.get("resourceVersion"));
    response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    if (from < this.oldest) {
      const message = `too old resource version: ${from} (${this.oldest})`;
      response.end(line("ERROR", { kind: "Status", code: 410, reason: "Expired", message }));
      return;
    }
    for (const { type, object, version } of this.#changes) if (version > from) response.write(line(type, object));
    if (all) this.tellAll(response);
    this.streams.set(response, from);
    response.on("close", () => this.streams.delete(response));
  }

  tellAll(response: ServerResponse): void {
    for (const object of this.#things.values()) response.write(line("ADDED", object));
    const annotations = { "k8s.io/initial-events-end": "true" };
    response.write(line("BOOKMARK", { metadata: { resourceVersion: String(this.version), annotations } }));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request.url ?? "");
    this.headers = request.headers;
    const told = this.#next.shift() ?? this.always;
    if (told !== undefined) told(request, response);
    else if ((request.url ?? "").includes("watch=1")) this.watch(request, response);
    else this.#list(request, response);
  }

  #list(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    const [from, limit] = [Number(query.get("continue") ?? 0), Number(query.get("limit") ?? 1e9)];
    const items = [...this.#things.values()].slice(from, from + limit);
    const more = from + limit < this.#things.size ? { continue: String(from + limit) } : {};
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ metadata: { resourceVersion: String(this.version), ...more }, items }));
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    for (const [stream, from] of this.streams) {
      if (change.version > from) stream.write(line(change.type, change.object));
    }
  }
}

export function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** An answer with a Status. */
export function status(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) => {
    response.writeHead(code, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ kind: "Status", code, reason, message: `${reason} it is` }));
  };
}
