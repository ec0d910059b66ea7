/** What the API server answers when it refuses: a Status. The words are those that clients and people know. */
import type { Json, JsonMap } from "./json.ts";
import { groupResource, type Resource } from "./resource.ts";

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export class Refusal extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: JsonMap | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Of the Status' own metadata: an expired page's fresh token. */
  readonly token: string | undefined;

  constructor(code: number, reason: string, message: string, more: { details?: JsonMap; token?: string } = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = more.details;
    this.token = more.token;
    const seconds = more.details?.["retryAfterSeconds"];
    this.retryAfterSeconds = typeof seconds === "number" ? seconds : undefined;
  }

  get status(): JsonMap {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.token === undefined ? {} : { continue: this.token },
      status: "Failure",
      message: this.message,
      ...(this.reason !== "" && { reason: this.reason }),
      ...(this.details !== undefined && { details: this.details }),
      code: this.code,
    };
  }
}

const named = ({ group, plural }: Resource, name: string): JsonMap => ({
  ...(name !== "" && { name }),
  ...(group !== "" && { group }),
  kind: plural,
});

export const notFound = (resource: Resource, name: string): Refusal =>
  new Refusal(404, "NotFound", `${groupResource(resource)} "${name}" not found`, { details: named(resource, name) });

export const alreadyExists = (resource: Resource, name: string): Refusal =>
  new Refusal(409, "AlreadyExists", `${groupResource(resource)} "${name}" already exists`, {
    details: named(resource, name),
  });

export const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export const conflict = (resource: Resource, name: string, why: string = MODIFIED): Refusal =>
  new Refusal(409, "Conflict", `Operation cannot be fulfilled on ${groupResource(resource)} "${name}": ${why}`, {
    details: named(resource, name),
  });

export const badRequest = (message: string): Refusal => new Refusal(400, "BadRequest", message);

export function invalid({ group, kind }: Resource, name: string, causes: readonly Cause[]): Refusal {
  const each = causes.map(({ field, message }) => `${field}: ${message}`);
  const [only = ""] = each;
  const words = each.length === 1 ? only : `[${each.join(", ")}]`;
  const whose = `${group === "" ? kind : `${kind}.${group}`} "${name}"`;
  const details = { name, ...(group !== "" && { group }), kind, causes: causes.map((cause): Json => ({ ...cause })) };
  return new Refusal(422, "Invalid", `${whose} is invalid: ${words}`, { details });
}

export const forbiddenField = (field: string, message: string): Cause => ({
  reason: "FieldValueForbidden",
  message: `Forbidden: ${message}`,
  field,
});

export const invalidField = (field: string, value: unknown, message: string): Cause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
  field,
});

export const requiredField = (field: string, message = ""): Cause => ({
  reason: "FieldValueRequired",
  message: message === "" ? "Required value" : `Required value: ${message}`,
  field,
});

export const forbidden = (message: string, details?: JsonMap): Refusal =>
  new Refusal(403, "Forbidden", message, details === undefined ? {} : { details });

export const unauthorized = (): Refusal => new Refusal(401, "Unauthorized", "Unauthorized");

export const expired = (message: string, token?: string): Refusal =>
  new Refusal(410, "Expired", message, token === undefined ? {} : { token });

export const notAllowed = (message: string): Refusal => new Refusal(405, "MethodNotAllowed", message);

export const unsupported = (given: string, supported: readonly string[]): Refusal =>
  new Refusal(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}` +
      (given === "" ? "" : ` (it was ${given})`),
  );

/** No group, version or resource of that name: not even JSON. */
export class NoSuchPath extends Error {}
