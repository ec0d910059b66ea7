/** The tests' way in beside the API: faults, tokens, counts, bulk loads; plain HTTP on a socket in the directory. */
import { rmSync } from "node:fs";
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { BulkLoad } from "./bulk-load.ts";
import { clientCertificate } from "./certificates.ts";
import type { AnswerFault, DelayFault, Match } from "./faults.ts";
import { serviceAccount } from "./identities.ts";
import type { Listener } from "./listener.ts";
import type { Server, ServerParts } from "./server.ts";

export interface Controlled {
  readonly directory: string;
  readonly parts: ServerParts;
  readonly server: Server;
  readonly listener: Listener;
  readonly load: BulkLoad;
}

type Command = (controlled: Controlled, body: Record<string, unknown>) => unknown;

const names = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const match = (body: Record<string, unknown>): Match => body["match"] ?? {};

const COMMANDS: Readonly<Record<string, Command>> = {
  /** { name, groups? } or { serviceAccount: "namespace/name", seconds? }: gives { name, token }. */
  "/users": ({ parts }, body) => {
    const account = body["serviceAccount"];
    if (typeof account === "string") {
      const [namespace = "", name = ""] = account.split("/");
      const token = parts.identities.addServiceAccount(namespace, name, Number(body["seconds"] ?? 3600 * 24));
      return { name: serviceAccount(namespace, name).name, token };
    }
    const name = String(body["name"]);
    const token = parts.identities.add({ name, groups: [...names(body["groups"]), "system:authenticated"] });
    return { name, token };
  },
  /** { name, groups? }: gives { certificate, key }, which are as good as a token. */
  "/certificates": ({ directory }, body) => clientCertificate(directory, String(body["name"]), names(body["groups"])),
  /** { token }: nobody's from now on. Open watches go on, as with the real server. */
  "/revoke": ({ parts }, body) => ({ revoked: parts.identities.revoke(String(body["token"])) }),
  /** { code, count?, retryAfterSeconds?, message?, match? } */
  "/faults/answer": ({ parts }, body) => void parts.faults.answers.push(body as unknown as AnswerFault),
  /** { milliseconds, match? } */
  "/faults/delay": ({ parts }, body) => void parts.faults.delays.push(body as unknown as DelayFault),
  /** { count?, match? }: the next change on so many watches ends in the middle of its line. */
  "/faults/cut": ({ parts }, body) =>
    void parts.faults.cuts.push({ match: match(body), count: Number(body["count"] ?? 1) }),
  /** { match? }: watches are closed after each change they tell. */
  "/faults/close-after-each": ({ parts }, body) => {
    parts.faults.closing = match(body);
  },
  /** Accepts connections and answers nothing, on new and old ones. */
  "/faults/freeze": ({ parts }) => parts.faults.freeze(),
  "/faults/thaw": ({ parts }) => parts.faults.thaw(),
  "/faults/refuse": ({ listener }) => listener.refuse(),
  "/faults/accept": ({ listener }) => listener.listen(),
  "/faults/reset": ({ listener }) => listener.reset(),
  "/faults/close": ({ listener }) => listener.close(),
  /** All of the above undone. */
  "/faults/clear": async ({ parts, listener }) => {
    parts.faults.clear();
    await listener.listen();
  },
  /** The history is forgotten: watches and pages of former versions have expired; open watches go on. */
  "/compact": ({ parts }) => parts.store.forgetHistory(),
  /** Compacted, and open watches are told 410 in their streams. */
  "/expire": ({ parts, server }) => {
    parts.store.forgetHistory();
    server.expireWatches();
  },
  "/bookmark": ({ server }) => server.bookmark(),
  /** { match? }: who asked for what, how often, since the last clear. */
  "/requests": ({ parts }, body) => parts.counts.matching(match(body)),
  "/requests/clear": ({ parts }) => parts.counts.clear(),
  "/state": ({ parts, server, listener }) => ({
    revision: parts.store.revision,
    watches: server.watches.size,
    connections: listener.connections,
    objects: Object.fromEntries(parts.store.names().map((name) => [name, parts.store.count(name)])),
    rss: process.memoryUsage.rss(),
  }),
};

export function listenForControl(socket: string, controlled: Controlled): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void answer(controlled, request, response);
  });
  rmSync(socket, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, () => resolve(server));
    server.unref();
  });
}

async function answer(controlled: Controlled, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const end = (code: number, body: unknown) =>
    response.writeHead(code, { "content-type": "application/json" }).end(`${JSON.stringify(body ?? {})}\n`);
  try {
    const path = request.url ?? "/";
    // Objects, one a line, made or replaced without checks.
    if (path === "/load") {
      end(200, { loaded: await controlled.load.lines(request) });
      return;
    }
    const command = COMMANDS[path];
    if (command === undefined) end(404, { known: ["/load", ...Object.keys(COMMANDS)] });
    else end(200, await command(controlled, await read(request)));
  } catch (error) {
    end(400, { error: (error as Error).message });
  }
}

async function read(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}
