/**
 * The speaker over HTTP, under /v1/bgp: what it knows, and what an operator may tell it.
 *
 * Long lists are sent in pages (pages.ts), and what takes long to find out is found out in turns, so that no question
 * costs a session its keepalives.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Fact } from "../../bgp/facts.ts";
import { BadQuery, type Inspector, type RouteQuery, type Steps } from "../../bgp/inspect/types.ts";
import { PAGE_MS, routePages } from "./pages.ts";
import type { Asked, Handler, Reply, Routes } from "./server.ts";

export interface BgpPorts {
  readonly inspector: Inspector;
  /** Tells the speaker, and has the work done that follows. */
  tell(fact: Fact): void;
}

/** RFC 9003 2: octets of UTF-8. */
const LONGEST_MESSAGE = 255;

export function bgpRoutes({ inspector, tell }: BgpPorts): Routes {
  const view = async (peer: string) => ({ status: 200, body: await inTurns(inspector.peer(peer)) });
  const told = (make: (peer: string, said: Said) => Fact): Handler =>
    onPeer(inspector, (peer, body) => {
      const said = saidIn(body);
      if (typeof said === "string") return problem(400, said);
      tell(make(peer, said));
      return view(peer);
    });
  return {
    "GET /v1/bgp/peers": async () => ({ status: 200, body: { peers: await inTurns(inspector.peers()) } }),
    "GET /v1/bgp/peers/:peer": onPeer(inspector, view),
    "POST /v1/bgp/peers/:peer/reset": told((peer, { soft, message }) => ({ kind: "reset", peer, soft, message })),
    "POST /v1/bgp/peers/:peer/shutdown": told((peer, { message }) => ({ kind: "disable", peer, message })),
    "POST /v1/bgp/peers/:peer/enable": told((peer) => ({ kind: "enable", peer })),
    "GET /v1/bgp/routes": (_body, { query }) => routes(inspector, query),
    "GET /v1/bgp/explain": (_body, { query }) => {
      const prefix = query.get("prefix");
      if (prefix === null) return problem(400, "say what to explain: ?prefix=192.0.2.0/24");
      return orRefusal(inspector, () => ({ status: 200, body: inspector.explain(prefix) }));
    },
  };
}

/** A handler that is about the peer in the path. Where there is none, the answer has the names of those there are. */
export function onPeer(
  inspector: Inspector,
  handle: (peer: string, body: Uint8Array, asked: Asked) => Reply | Promise<Reply>,
): Handler {
  return (body, asked) => {
    const wanted = asked.params["peer"] ?? "";
    const peer = inspector.findPeer(wanted);
    if (peer !== undefined) return handle(peer, body, asked);
    return unknownPeer(inspector, wanted);
  };
}

function unknownPeer(inspector: Inspector, wanted: string): Reply {
  return { status: 404, body: { error: `there is no peer ${wanted}`, peers: inspector.peerNames() } };
}

export function problem(status: number, error: string): Reply {
  return { status, body: { error } };
}

interface Said {
  readonly soft: boolean;
  readonly message: string;
}

function saidIn(body: Uint8Array): Said | string {
  if (body.length === 0) return { soft: false, message: "" };
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(body).toString());
  } catch {
    said = undefined;
  }
  if (typeof said !== "object" || said === null) return 'the body must be JSON such as {"message":"maintenance"}';
  const { soft = false, message = "" } = said as { soft?: unknown; message?: unknown };
  if (typeof soft !== "boolean") return "soft must be true or false";
  if (typeof message !== "string") return "message must be text";
  const octets = Buffer.byteLength(message);
  if (octets > LONGEST_MESSAGE)
    return `message is ${octets} octets long; a peer can be told ${LONGEST_MESSAGE} (RFC 9003)`;
  return { soft, message };
}

function routes(inspector: Inspector, query: URLSearchParams): Reply {
  return orRefusal(inspector, () => {
    const batches = inspector.routes(queryOf(inspector, query))[Symbol.iterator]();
    // The first batch is made here: a query that cannot be answered is refused before anything is sent.
    const first = batches.next();
    return { status: 200, body: routePages(first.done === true ? [] : followed(first.value, batches)) };
  });
}

function queryOf(inspector: Inspector, query: URLSearchParams): RouteQuery {
  const wanted: { -readonly [K in keyof RouteQuery]: RouteQuery[K] } = {};
  for (const [name, value] of query) {
    if (name === "prefix") wanted.prefix = value;
    else if (name === "longer") wanted.longerPrefixes = value !== "false";
    else if (name === "best") wanted.best = value !== "false";
    else if (name === "family" && (value === "4" || value === "6")) wanted.family = value === "4" ? 4 : 6;
    else if (name === "in" || name === "out") {
      const peer = inspector.findPeer(value);
      if (peer === undefined) throw new UnknownPeer(value);
      wanted[name === "in" ? "from" : "to"] = peer;
    } else throw new BadQuery(`${name}=${value} is not understood: prefix, longer, best, family=4|6, in, out`);
  }
  return wanted;
}

class UnknownPeer extends Error {
  readonly peer: string;

  constructor(peer: string) {
    super(`there is no peer ${peer}`);
    this.peer = peer;
  }
}

function orRefusal(inspector: Inspector, answer: () => Reply): Reply {
  try {
    return answer();
  } catch (error) {
    if (error instanceof UnknownPeer) return unknownPeer(inspector, error.peer);
    if (error instanceof BadQuery) return problem(400, error.message);
    throw error;
  }
}

/** Takes the steps, with a turn of the event loop whenever a page's time is over. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  let started = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() - started < PAGE_MS) continue;
    await turn();
    started = performance.now();
  }
}

function* followed<T>(first: T, rest: Iterator<T>): Generator<T> {
  yield first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}
