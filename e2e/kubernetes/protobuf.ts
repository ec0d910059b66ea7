/**
 * The few requests that kubectl sends in protobuf whatever the server prefers (from 1.33 on, of its typed clients),
 * read into the JSON they stand for. Answers are always JSON, which those clients accept too.
 */
import { isMap, type Json, type JsonMap, textAt } from "./json.ts";
import { unsupported } from "./refusal.ts";

export const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** By field number: a name and what is in it. Lists are marked. */
type Message = { readonly [field: number]: readonly [name: string, type: Type, "list"?] };
type Type = Message | "text" | "number" | "bytes" | "map" | "bytes map" | "int or string";

const META: Message = {
  1: ["name", "text"],
  2: ["generateName", "text"],
  3: ["namespace", "text"],
  11: ["labels", "map"],
  12: ["annotations", "map"],
};
const DELETE_OPTIONS: Message = {
  1: ["gracePeriodSeconds", "number"],
  2: ["preconditions", { 1: ["uid", "text"], 2: ["resourceVersion", "text"] }],
  4: ["propagationPolicy", "text"],
  5: ["dryRun", "text", "list"],
};
const RESOURCE_ATTRIBUTES: Message = {
  1: ["namespace", "text"],
  2: ["verb", "text"],
  3: ["group", "text"],
  4: ["version", "text"],
  5: ["resource", "text"],
  6: ["subresource", "text"],
  7: ["name", "text"],
};
const PATH_ATTRIBUTES: Message = { 1: ["path", "text"], 2: ["verb", "text"] };

const RULE: Message = {
  1: ["verbs", "text", "list"],
  2: ["apiGroups", "text", "list"],
  3: ["resources", "text", "list"],
  4: ["resourceNames", "text", "list"],
  5: ["nonResourceURLs", "text", "list"],
};
const ROLE: Message = { 1: ["metadata", META], 2: ["rules", RULE, "list"] };
const SUBJECT: Message = {
  1: ["kind", "text"],
  2: ["apiGroup", "text"],
  3: ["name", "text"],
  4: ["namespace", "text"],
};
const BINDING: Message = {
  1: ["metadata", META],
  2: ["subjects", SUBJECT, "list"],
  3: ["roleRef", { 1: ["apiGroup", "text"], 2: ["kind", "text"], 3: ["name", "text"] }],
};
const SERVICE_PORT: Message = {
  1: ["name", "text"],
  2: ["protocol", "text"],
  3: ["port", "number"],
  4: ["targetPort", "int or string"],
  5: ["nodePort", "number"],
};
const SERVICE_SPEC: Message = {
  1: ["ports", SERVICE_PORT, "list"],
  2: ["selector", "map"],
  3: ["clusterIP", "text"],
  4: ["type", "text"],
  5: ["externalIPs", "text", "list"],
  10: ["externalName", "text"],
};

const MESSAGES: Readonly<Record<string, Message>> = {
  SelfSubjectAccessReview: {
    1: ["metadata", META],
    2: ["spec", { 1: ["resourceAttributes", RESOURCE_ATTRIBUTES], 2: ["nonResourceAttributes", PATH_ATTRIBUTES] }],
  },
  SelfSubjectRulesReview: { 1: ["metadata", META], 2: ["spec", { 1: ["namespace", "text"] }] },
  SelfSubjectReview: { 1: ["metadata", META] },
  TokenRequest: {
    1: ["metadata", META],
    2: ["spec", { 1: ["audiences", "text", "list"], 4: ["expirationSeconds", "number"] }],
  },
  Eviction: { 1: ["metadata", META], 2: ["deleteOptions", DELETE_OPTIONS] },
  DeleteOptions: DELETE_OPTIONS,
  Namespace: { 1: ["metadata", META] },
  ServiceAccount: { 1: ["metadata", META] },
  Secret: { 1: ["metadata", META], 2: ["data", "bytes map"], 3: ["type", "text"] },
  ConfigMap: { 1: ["metadata", META], 2: ["data", "map"], 3: ["binaryData", "bytes map"] },
  Role: ROLE,
  ClusterRole: ROLE,
  RoleBinding: BINDING,
  ClusterRoleBinding: BINDING,
  Service: { 1: ["metadata", META], 2: ["spec", SERVICE_SPEC] },
};

const INT_OR_STRING: Message = { 1: ["which", "number"], 2: ["number", "number"], 3: ["text", "text"] };
const MAGIC = Buffer.from("k8s\0");
const TYPE_META: Message = { 1: ["apiVersion", "text"], 2: ["kind", "text"] };

export function fromProtobuf(bytes: Buffer): JsonMap {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw unsupported(PROTOBUF, ["application/json"]);
  let typeMeta: JsonMap = {};
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of fields(bytes.subarray(MAGIC.length))) {
    if (number === 1 && Buffer.isBuffer(value)) typeMeta = read(TYPE_META, value);
    if (number === 2 && Buffer.isBuffer(value)) raw = value;
  }
  const kind = textAt(typeMeta, "kind");
  const message = MESSAGES[kind];
  if (message === undefined) throw unsupported(`${PROTOBUF} of a ${kind}`, ["application/json"]);
  return { ...typeMeta, ...read(message, raw) };
}

function read(message: Message, bytes: Buffer): JsonMap {
  const result: JsonMap = {};
  for (const { number, value } of fields(bytes)) {
    const [name, type, list] = message[number] ?? [];
    if (name === undefined || type === undefined) continue;
    const plain = plainOf(type, value);
    if (list === "list") result[name] = [...((result[name] as Json[] | undefined) ?? []), plain];
    // Each entry of a map comes by itself.
    else if (type === "map" || type === "bytes map") {
      const former = result[name];
      result[name] = { ...(isMap(former) ? former : {}), ...(isMap(plain) ? plain : {}) };
    }
    // An empty text is one that was not given.
    else if (plain !== "") result[name] = plain;
  }
  return result;
}

function plainOf(type: Type, value: Buffer | bigint): Json {
  if (typeof value === "bigint") return Number(BigInt.asIntN(64, value));
  if (type === "bytes") return value.toString("base64");
  if (type === "int or string") {
    const { which, number = 0, text = "" } = read(INT_OR_STRING, value);
    return which === 1 ? text : number;
  }
  if (type === "map" || type === "bytes map") {
    const inner = type === "map" ? "text" : "bytes";
    const { key = "", value: held = "" } = read({ 1: ["key", "text"], 2: ["value", inner] }, value);
    return { [textAt(key)]: held };
  }
  return typeof type === "object" ? read(type, value) : value.toString();
}

interface Field {
  readonly number: number;
  readonly value: Buffer | bigint;
}

/** Varints and what has a length; fixed-width fields do not occur in these messages, and are passed over. */
function* fields(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw unsupported(`${PROTOBUF}, cut short`, ["application/json"]);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >> 3, tag & 7];
    if (wire === 0) yield { number, value: varint() };
    else if (wire === 2) {
      const length = Number(varint());
      yield { number, value: bytes.subarray(at, at + length) };
      at += length;
    } else at += wire === 1 ? 8 : 4;
  }
}
