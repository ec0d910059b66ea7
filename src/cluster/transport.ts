/**
 * HTTP/1.1 to the API server on connections that are kept and used again. An answer is handed over when its head has
 * come; who takes it reads the body or destroys it.
 */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent, request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import type { Access, Credentials } from "./credentials.ts";
import { ClusterError } from "./port.ts";

export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Aborted: it rejects, and a body that is still coming ends with an error. */
  readonly signal: AbortSignal;
}

export interface Transport {
  /** Rejects with a ClusterError of status 0 when no answer comes. */
  send(request: Request): Promise<IncomingMessage>;
  /** The server answered 401. */
  refused(): void;
  close(): void;
}

/** Go's server closes a connection that was idle for 90 s: do it first, lest a request meets the close. */
const IDLE_MS = 60_000;
/** Linux then asks every second, ten times, and gives up: a peer that vanished is noticed within half a minute. */
const KEEPALIVE_MS = 15_000;

export class KeptConnections implements Transport {
  readonly #credentials: Credentials;
  #agent: Agent | PlainAgent | undefined;
  #agentFor = "";

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  async send(request: Request): Promise<IncomingMessage> {
    const access = await this.#credentials.current().catch((error: Error) => {
      throw new ClusterError(error.message, 0);
    });
    try {
      return await this.#attempt(access, request);
    } catch (error) {
      // The server closed a kept connection as the request was on its way. Reading again does no harm.
      const { code, reused } = error as { code?: string; reused?: boolean };
      const again = reused === true && code === "ECONNRESET" && request.method === "GET" && !request.signal.aborted;
      if (!again) throw noAnswer(access, error as Error);
    }
    return await this.#attempt(access, request).catch((error: Error) => {
      throw noAnswer(access, error);
    });
  }

  refused(): void {
    this.#credentials.refused();
  }

  close(): void {
    this.#agent?.destroy();
  }

  #attempt(access: Access, { method, path, body, contentType, signal }: Request): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { server, headers } = access;
    const secure = server.protocol === "https:";
    const options = {
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port === "" ? (secure ? 443 : 80) : Number(server.port),
      path: `${server.pathname.replace(/\/$/, "")}${path}`,
      method,
      signal,
      agent: this.#agentOf(access, secure),
      headers: {
        accept: "application/json",
        "user-agent": "overland",
        ...headers,
        ...(text !== undefined && { "content-type": contentType ?? "application/json" }),
        ...(text !== undefined && { "content-length": Buffer.byteLength(text) }),
      },
    };
    return new Promise((resolve, reject) => {
      const sent = secure ? secureRequest(options, resolve) : plainRequest(options, resolve);
      sent.on("error", (error) => reject(Object.assign(error, { reused: sent.reusedSocket })));
      sent.on("socket", (socket: Socket) => socket.setKeepAlive(true, KEEPALIVE_MS));
      sent.end(text);
    });
  }

  /** Connections of other credentials are left to what is on them. */
  #agentOf({ server, tls }: Access, secure: boolean): Agent | PlainAgent {
    const wanted = JSON.stringify([server.host, tls]);
    if (this.#agent !== undefined && wanted === this.#agentFor) return this.#agent;
    const options = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: 4, scheduling: "lifo" as const };
    this.#agent = secure ? new Agent({ ...options, ...tls }) : new PlainAgent(options);
    this.#agentFor = wanted;
    return this.#agent;
  }
}

function noAnswer({ server }: Access, { message, name }: Error): ClusterError {
  const why = name === "AbortError" ? "no answer in time" : message;
  return new ClusterError(`the API server at ${server.host} cannot be reached: ${why}`, 0);
}
