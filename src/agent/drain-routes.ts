/** Drain over the agent's socket: asked for, taken back, looked at. */
import type { Asked, Reply, Routes } from "../api/server.ts";
import { type DrainStatus, LONGEST_MESSAGE, type NodeDrain, PREFER_OTHERS_MS } from "./node-drain.ts";

export interface DrainPorts {
  readonly node: string;
  readonly drain: Pick<NodeDrain, "drain" | "undrain" | "status">;
  readonly podsLeft: () => number;
}

/** The answer of all three. */
export interface DrainAnswer extends DrainStatus {
  readonly node: string;
  /** Why the node stays drained though an operator wants it back. */
  readonly stays?: string;
}

const PODS_MS = 60_000;
const LONGEST_S = 86_400;

export function drainRoutes({ node, drain, podsLeft }: DrainPorts): Routes {
  const answer = (more: Partial<DrainAnswer> = {}): Reply => {
    const body: DrainAnswer = { node, ...drain.status(podsLeft()), ...more };
    return { status: 200, body };
  };
  return {
    "GET /v1/node/drain": () => answer(),
    "POST /v1/node/drain": (_body: Uint8Array, { query }: Asked) => {
      const terms = termsIn(query);
      if (typeof terms === "string") return { status: 400, body: { error: terms } };
      drain.drain(terms);
      return answer();
    },
    "POST /v1/node/undrain": () => {
      const stays = drain.undrain();
      return answer(stays === undefined ? {} : { stays });
    },
  };
}

/** Or what is wrong, in words. */
function termsIn(query: URLSearchParams) {
  const message = query.get("message") ?? "node is drained";
  const octets = new TextEncoder().encode(message).length;
  if (octets > LONGEST_MESSAGE) return `message has ${octets} octets; peers take ${LONGEST_MESSAGE} (RFC 9003)`;
  const preferOthersMs = milliseconds(query.get("prefer-others"), PREFER_OTHERS_MS);
  const podsMs = milliseconds(query.get("pods"), PODS_MS);
  if (preferOthersMs === undefined) return `prefer-others is no number of seconds from 0 to ${LONGEST_S}`;
  if (podsMs === undefined) return `pods is no number of seconds from 0 to ${LONGEST_S}`;
  return { message, preferOthersMs, podsMs };
}

function milliseconds(text: string | null, usual: number): number | undefined {
  if (text === null) return usual;
  return /^\d{1,5}$/.test(text) && Number(text) <= LONGEST_S ? Number(text) * 1000 : undefined;
}
