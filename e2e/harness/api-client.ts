/** Bare HTTPS to the API server, for what kubectl hides: status codes, headers, lines of a watch as they come. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import type { ApiServer } from "./api-server.ts";
import { eventually } from "./wait.ts";

/** What comes is anybody's; tests look at what they expect in it. */
export type Anything = any;

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Anything;
}

export interface Asking {
  readonly body?: object | string;
  readonly type?: string;
  /** Absent: the admin's. */
  readonly token?: string | undefined;
  readonly certificate?: { readonly cert: string | undefined; readonly key: string | undefined };
  readonly headers?: Readonly<Record<string, string>>;
}

function open(server: ApiServer, method: string, path: string, asking: Asking): Promise<IncomingMessage> {
  const { body, type = "application/json", headers = {}, certificate = {} } = asking;
  const token = "token" in asking ? asking.token : server.adminToken;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  // Node.js gives a DELETE no length of its own.
  const content = text === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const options = {
      ...certificate,
      method,
      ca: server.ca,
      agent: false,
      headers: { ...content, ...authorization, ...headers },
    };
    const asked = request(`${server.url}${path}`, options, resolve);
    asked.on("error", reject);
    asked.end(text);
  });
}

export async function ask(server: ApiServer, method: string, path: string, asking: Asking = {}): Promise<Answer> {
  const message = await open(server, method, path, asking);
  let text = "";
  for await (const part of message.setEncoding("utf8")) text += part;
  const { statusCode: code = 0, headers } = message;
  const isJson = (headers["content-type"] ?? "").startsWith("application/json");
  return { code, headers, text, json: isJson ? JSON.parse(text) : undefined };
}

export const get = (server: ApiServer, path: string, asking: Asking = {}): Promise<Answer> =>
  ask(server, "GET", path, asking);

/** The lines of a watch. */
export class WatchLines {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly lines: string[] = [];
  /** What came after the last line end. */
  rest = "";
  ended: "no" | "cleanly" | "broken" = "no";
  readonly #message: IncomingMessage;

  private constructor(message: IncomingMessage) {
    this.#message = message;
    this.code = message.statusCode ?? 0;
    this.headers = message.headers;
    message.setEncoding("utf8").on("data", (part: string) => {
      const pieces = (this.rest + part).split("\n");
      this.rest = pieces.pop() ?? "";
      this.lines.push(...pieces);
    });
    message.on("error", () => (this.ended = "broken"));
    message.on("end", () => (this.ended = "cleanly"));
  }

  static async open(server: ApiServer, path: string, asking: Asking = {}): Promise<WatchLines> {
    return new WatchLines(await open(server, "GET", path, asking));
  }

  get events(): Anything[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** `TYPE name`, in the order they came. */
  get told(): string[] {
    return this.events.map(({ type, object }) => `${type} ${object.metadata?.name ?? ""}`.trim());
  }

  /** Waits until so many events have come, and gives them. */
  async first(count: number): Promise<Anything[]> {
    await eventually(`${count} events of the watch`, 10, () => this.lines.length >= count);
    return this.events;
  }

  async end(seconds = 10): Promise<this> {
    await eventually("the watch ends", seconds, () => this.ended !== "no");
    return this;
  }

  close(): void {
    this.#message.destroy();
  }
}
