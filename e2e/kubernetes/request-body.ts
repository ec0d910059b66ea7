/** The document a request brings. */
import type { IncomingMessage } from "node:http";
import { fromProtobuf, PROTOBUF } from "./protobuf.ts";
import { badRequest, Refusal, unsupported } from "./refusal.ts";

const LIMIT = 3 * 1024 * 1024;
const READABLE = ["application/json", "application/yaml", ""];

/** Undefined: there is none. YAML is read as far as it is JSON. */
export async function readBody(request: IncomingMessage, contentType: string): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > LIMIT) throw new Refusal(413, "RequestEntityTooLarge", `Request entity too large: limit is ${LIMIT}`);
    parts.push(part);
  }
  if (size === 0) return undefined;
  if (contentType === PROTOBUF) return fromProtobuf(Buffer.concat(parts));
  if (request.method !== "PATCH" && !READABLE.includes(contentType))
    throw unsupported(contentType, ["application/json"]);
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch (error) {
    throw badRequest(`couldn't read the body as JSON: ${(error as Error).message}`);
  }
}
