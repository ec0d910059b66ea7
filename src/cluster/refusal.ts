/** What the API server's refusals mean, in words for the operator. */
import type { IncomingMessage } from "node:http";
import { typeName } from "./paths.ts";
import { ClusterError, type ResourceType } from "./port.ts";

/** What was asked: `what` is `nodes` or `lease overland-system/overland-controller`. */
export interface Asked {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  readonly type: ResourceType;
  readonly what: string;
  readonly subresource?: string | undefined;
}

/** meta/v1 Status, as far as it is looked at. */
export interface Status {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** Longest pause that a server can ask for. */
const LONGEST_RETRY_AFTER_S = 300;

export function refusalOf(asked: Asked, { statusCode = 0, headers }: IncomingMessage, body: string): ClusterError {
  const status = statusOf(body);
  const seconds = Number(headers["retry-after"] ?? status.details?.retryAfterSeconds ?? Number.NaN);
  return refusal(asked, statusCode, status, seconds);
}

/** An ERROR event of a watch. */
export function refusalInStream(asked: Asked, status: Status): ClusterError {
  return refusal(asked, status.code ?? 500, status, status.details?.retryAfterSeconds ?? Number.NaN);
}

function refusal(asked: Asked, code: number, status: Status, seconds: number): ClusterError {
  const retryAfterMs = seconds >= 0 ? Math.min(seconds, LONGEST_RETRY_AFTER_S) * 1000 : undefined;
  return new ClusterError(wordsOf(asked, code, status), code, status.reason ?? "", retryAfterMs);
}

function statusOf(body: string): Status {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    // A type that is not served is answered by plain text, and so does whatever stands before the server.
    return { message: body.trim().slice(0, 200) };
  }
}

function wordsOf({ verb, type, what, subresource }: Asked, code: number, { kind, message = "" }: Status): string {
  const could = `cannot ${verb} ${what}`;
  if (code === 401) return `${could}: the API server does not accept the credentials (401)`;
  if (code === 403) {
    const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`;
    const rule = `apiGroups: ["${type.group}"], resources: ["${resource}"], verbs: ["${verb}"]`;
    return `${could}: not allowed; add to its ClusterRole or Role: {${rule}}${message === "" ? "" : ` (${message})`}`;
  }
  if (code === 404 && kind !== "Status") {
    const cure = type.group.includes(".") ? "; are the CustomResourceDefinitions installed?" : "";
    return `${could}: the API server does not know ${typeName(type)}/${type.version}${cure}`;
  }
  return `${could}: ${message === "" ? `HTTP ${code}` : `${message} (${code})`}`;
}
