/** A request from its arrival to its answer: who asks, what for, whether that is allowed, what comes of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { gzip } from "node:zlib";
import type { Catalog } from "./catalog.ts";
import { discovery, VERSION } from "./discovery.ts";
import { podEvicted } from "./eviction.ts";
import type { Faults, RequestFacts } from "./faults.ts";
import { formOf } from "./forms.ts";
import { ANONYMOUS, type Identities, type Identity } from "./identities.ts";
import { goJson } from "./json.ts";
import { LineStream } from "./line-stream.ts";
import { openApi, V2 } from "./open-api.ts";
import { expired, forbidden, NoSuchPath, Refusal, unauthorized } from "./refusal.ts";
import { type Asked, asked, type ResourcePath } from "./request.ts";
import { readBody } from "./request-body.ts";
import type { RequestCounts } from "./request-counts.ts";
import { collectionOf, type Resource } from "./resource.ts";
import { type Answer, answerTo } from "./resource-requests.ts";
import { REVIEWS, requestedToken, reviewed } from "./reviews.ts";
import { type Deed, denial, isAllowed } from "./rights.ts";
import { selectorOf } from "./selectors.ts";
import type { Store } from "./store.ts";
import { Watch } from "./watch.ts";
import type { Writes } from "./writes.ts";

export interface ServerParts {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly writes: Writes;
  readonly identities: Identities;
  readonly faults: Faults;
  readonly counts: RequestCounts;
  readonly bookmarkMs: number;
}

/** Larger answers are compressed for those who accept it, as the real server does from 128 KiB on. */
const COMPRESSED_FROM = 128 * 1024;

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly asked: Asked;
  readonly who: Identity;
  readonly facts: RequestFacts;
}

export class Server {
  readonly watches = new Set<Watch>();
  readonly #parts: ServerParts;
  #requests = 0;
  #retired = false;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, counts } = this.#parts;
    let facts: RequestFacts = { user: "", verb: "", resource: "", path: request.url ?? "/" };
    try {
      await faults.whenThawed();
      const what = asked(request.method ?? "GET", request.url ?? "/");
      const { target, verb, path } = what;
      const resource =
        target === undefined ? "" : target.plural + (target.subresource === undefined ? "" : `/${target.subresource}`);
      const who = this.#authenticated(request);
      facts = { user: who?.name ?? "", verb, resource, path };
      await faults.delay(facts);
      const fault = faults.takeAnswer(facts);
      if (fault !== undefined) throw madeUp(fault.code, fault.message, fault.retryAfterSeconds);
      if (this.#retired) {
        response.setHeader("connection", "close");
        throw madeUp(429, "apiserver is shutting down.", 1);
      }
      if (who === undefined) throw unauthorized();
      await this.#answer({ request, response, asked: what, who, facts });
    } catch (error) {
      await this.#refuse(response, error);
    } finally {
      counts.add(facts, response.statusCode);
    }
  }

  /** From now on only what is open is served: whoever asks for more is sent to the next server. */
  retire(): void {
    this.#retired = true;
  }

  /** The kind is no longer served: its watches end. */
  endWatches(collection: string): void {
    for (const watch of this.watches) if (collectionOf(watch.watched.resource) === collection) watch.end();
  }

  /** As when the history an open watch needs has been compacted. */
  expireWatches(): void {
    const { revision } = this.#parts.store;
    for (const watch of this.watches)
      watch.fail(expired(`The resourceVersion for the provided watch is too old. (${revision})`));
  }

  bookmark(): void {
    for (const watch of this.watches) watch.bookmark();
  }

  #authenticated(request: IncomingMessage): Identity | undefined {
    const { authorization } = request.headers;
    if (authorization === undefined) return ofCertificate(request.socket) ?? ANONYMOUS;
    const token = /^Bearer +(.+)$/i.exec(authorization)?.[1];
    const who = token === undefined ? undefined : this.#parts.identities.of(token.trim());
    const wanted = request.headers["impersonate-user"];
    if (who === undefined || typeof wanted !== "string") return who;
    if (!who.groups.includes("system:masters")) throw forbidden(`users "${wanted}" is forbidden: cannot impersonate`);
    const groups = request.headersDistinct["impersonate-group"] ?? [];
    return { name: wanted, groups: [...groups, "system:authenticated"] };
  }

  async #answer(call: Call): Promise<void> {
    const { asked, who } = call;
    const { store } = this.#parts;
    const deed = deedOf(asked);
    if (!isAllowed(store, who, deed)) {
      throw forbidden(denial(who, deed), {
        name: deed.name,
        group: deed.group,
        kind: deed.resource.split("/")[0] ?? "",
      });
    }
    if (asked.target === undefined) await this.#answerPath(call, asked.path);
    else await this.#answerResource(call, asked.target);
  }

  async #answerPath({ request, response }: Call, path: string): Promise<void> {
    const { catalog } = this.#parts;
    if (["/healthz", "/livez", "/readyz"].includes(path))
      await this.#send(request, response, { code: 200, text: "ok" }, "text/plain");
    else if (path === "/version" || path === "/version/") await this.#json(request, response, VERSION);
    else if (path === "/openapi/v2") {
      // An empty document, which in protobuf is no bytes at all: kubectl then leaves validation to the server.
      const protobuf = (request.headers.accept ?? "").includes("protobuf");
      const type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
      if (protobuf) await this.#send(request, response, { code: 200, text: "" }, type);
      else await this.#json(request, response, V2);
    } else if (path.startsWith("/openapi/v3")) await this.#json(request, response, openApi(catalog, path));
    else if (path === "/") await this.#json(request, response, { paths: ["/api", "/apis", "/openapi/v3", "/version"] });
    else await this.#json(request, response, discovery(catalog, path));
  }

  async #answerResource(call: Call, target: ResourcePath): Promise<void> {
    const { request, response, asked, who } = call;
    const { store, catalog, identities, writes } = this.#parts;
    const { group, version, plural, namespace, name, subresource } = target;
    const review = REVIEWS.find((one) => one.group === group && one.version === version && one.plural === plural);
    if (review !== undefined && asked.verb === "create") {
      const body = reviewed(review, await readBody(request, typeOf(request)), who, store, identities);
      await this.#json(request, response, body, 201);
      return;
    }
    const resource = catalog.find(group, version, plural);
    if (resource === undefined) throw new NoSuchPath();
    if (asked.verb === "watch") {
      this.#watch(call, resource, target);
      return;
    }
    const contentType = typeOf(request);
    const body = ["GET", "HEAD"].includes(request.method ?? "") ? undefined : await readBody(request, contentType);
    if (subresource === "token" && asked.verb === "create") {
      await this.#json(request, response, requestedToken(body, namespace ?? "", name ?? "", store, identities), 201);
      return;
    }
    if (subresource === "eviction" && asked.verb === "create") {
      await this.#json(request, response, podEvicted(writes, namespace, name, body, asked.query), 201);
      return;
    }
    const warnings: string[] = [];
    const answer = await answerTo(writes, {
      ...{ verb: asked.verb, resource, namespace, name, subresource, query: asked.query, contentType, body },
      accept: request.headers.accept ?? "",
      userAgent: request.headers["user-agent"] ?? "",
      warn: (words) => warnings.push(words),
    });
    if (warnings.length > 0)
      response.setHeader(
        "Warning",
        warnings.map((words) => `299 - ${goJson(words)}`),
      );
    await this.#send(request, response, answer);
  }

  #watch({ request, response, asked, facts }: Call, resource: Resource, { namespace, name }: ResourcePath): void {
    const { store, faults, bookmarkMs } = this.#parts;
    const { query } = asked;
    if (name !== undefined) query.set("fieldSelector", `metadata.name=${name}`);
    const selected = selectorOf(resource, query);
    const form = formOf(request.headers.accept ?? "");
    const stream = new LineStream(response, faults.ofStream(facts));
    const include = query.get("includeObject") ?? "";
    const watch = new Watch(store, stream, { resource, form, include, namespace, selected, query }, bookmarkMs);
    this.watches.add(watch);
    response.on("close", () => this.watches.delete(watch));
  }

  async #refuse(response: ServerResponse, error: unknown): Promise<void> {
    await this.#parts.faults.whenThawed();
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof NoSuchPath) {
      response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("404 page not found\n");
      return;
    }
    const refusal =
      error instanceof Refusal ? error : new Refusal(500, "InternalError", `Internal error: ${String(error)}`);
    if (!(error instanceof Refusal)) process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    if (refusal.retryAfterSeconds !== undefined) response.setHeader("Retry-After", refusal.retryAfterSeconds);
    response.writeHead(refusal.code, { "content-type": "application/json" }).end(`${goJson(refusal.status)}\n`);
  }

  #json(request: IncomingMessage, response: ServerResponse, body: unknown, code = 200): Promise<void> {
    return this.#send(request, response, { code, text: goJson(body) });
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    type = "application/json",
  ): Promise<void> {
    await this.#parts.faults.whenThawed();
    const text = type === "application/json" ? `${answer.text}\n` : answer.text;
    response.statusCode = answer.code;
    response.setHeader("content-type", type);
    response.setHeader("audit-id", String(++this.#requests));
    const compress = text.length > COMPRESSED_FROM && (request.headers["accept-encoding"] ?? "").includes("gzip");
    if (!compress) {
      response.end(text);
      return;
    }
    response.setHeader("content-encoding", "gzip");
    response.setHeader("vary", "Accept-Encoding");
    await new Promise<void>((resolve) => {
      gzip(text, { level: 1 }, (_, packed) => {
        response.end(packed);
        resolve();
      });
    });
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
};

function madeUp(code: number, message: string | undefined, retryAfterSeconds: number | undefined): Refusal {
  const reason = REASONS[code] ?? "";
  const details = retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
  return new Refusal(code, reason, message ?? (reason || "made up by the test"), details);
}

function ofCertificate(socket: Socket): Identity | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { CN: name, O: groups = [] } = socket.getPeerCertificate().subject;
  const [first = ""] = [name].flat();
  return { name: first, groups: [...[groups].flat(), "system:authenticated"] };
}

const typeOf = ({ headers }: IncomingMessage): string => (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";

function deedOf({ verb, path, target }: Asked): Deed {
  if (target === undefined) return { verb, group: "", resource: "", namespace: "", name: "", path };
  const { group, plural, namespace, name, subresource } = target;
  const resource = plural + (subresource === undefined ? "" : `/${subresource}`);
  // A namespace's own path counts as inside it.
  const where = namespace ?? (plural === "namespaces" && group === "" ? name : undefined);
  return { verb, group, resource, namespace: where ?? "", name: name ?? "", path };
}
