/** Validation by an openAPIV3Schema, in the API server's words. Rules in CEL are cel-rules.ts. */
import { isIPv4, isIPv6 } from "node:net";
import { isMap, type Json, type JsonMap, type KubeObject, same, textAt, without } from "./json.ts";
import { type Cause, requiredField } from "./refusal.ts";

/** Of a change, what it leaves as it was is not asked about again (KEP-4008: ratcheting). */
export function schemaProblems(schema: JsonMap, object: KubeObject, old?: KubeObject): Cause[] {
  const causes: Cause[] = [];
  check(schema, without(object, "metadata"), "", causes, old === undefined ? undefined : without(old, "metadata"));
  return causes;
}

const invalid = (field: string, value: Json, words: string): Cause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${shown(value)}: ${words}`,
  field: field === "" ? "<nil>" : field,
});

const shown = (value: Json): string =>
  isMap(value) ? '"object"' : Array.isArray(value) ? '"array"' : JSON.stringify(value);

function check(schema: JsonMap, value: Json, field: string, causes: Cause[], old?: Json): void {
  if (old !== undefined && same(old, value)) return;
  if (value === null && schema["nullable"] === true) return;
  const wrong = typeProblem(schema, value, field);
  if (wrong !== undefined) {
    causes.push(wrong);
    return;
  }
  const choices = schema["enum"];
  if (Array.isArray(choices) && !choices.some((choice) => same(choice, value))) {
    const supported = choices.map((choice) => JSON.stringify(choice)).join(", ");
    const message = `Unsupported value: ${shown(value)}: supported values: ${supported}`;
    causes.push({ reason: "FieldValueNotSupported", message, field });
  }
  if (typeof value === "number") checkNumber(schema, value, field, causes);
  if (typeof value === "string") checkText(schema, value, field, causes);
  if (Array.isArray(value)) checkList(schema, value, field, causes);
  if (isMap(value)) checkMap(schema, value, field, causes, old);
  checkCombined(schema, value, field, causes);
}

function typeProblem(schema: JsonMap, value: Json, field: string): Cause | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (Number.isInteger(value) || typeof value === "string") return undefined;
    return invalid(field, typeOf(value), `${field} in body must be of type integer or string: "${typeOf(value)}"`);
  }
  const { type } = schema;
  if (type === undefined || (value === null && keepsAny(schema))) return undefined;
  const is = typeOf(value);
  if (is === type || (type === "number" && is === "integer")) return undefined;
  return invalid(field, is, `${field === "" ? "" : `${field} `}in body must be of type ${textAt(type)}: "${is}"`);
}

const keepsAny = (schema: JsonMap): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;

function typeOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function checkNumber(schema: JsonMap, value: number, field: string, causes: Cause[]): void {
  const { minimum, maximum, multipleOf, format } = schema;
  const strictly = (bound: string) => (schema[bound] === true ? "" : "or equal to ");
  if (typeof minimum === "number" && (value < minimum || (value === minimum && schema["exclusiveMinimum"] === true))) {
    causes.push(
      invalid(field, value, `${field} in body should be greater than ${strictly("exclusiveMinimum")}${minimum}`),
    );
  }
  if (typeof maximum === "number" && (value > maximum || (value === maximum && schema["exclusiveMaximum"] === true))) {
    causes.push(
      invalid(field, value, `${field} in body should be less than ${strictly("exclusiveMaximum")}${maximum}`),
    );
  }
  if (typeof multipleOf === "number" && value % multipleOf !== 0) {
    causes.push(invalid(field, value, `${field} in body should be a multiple of ${multipleOf}`));
  }
  if (format === "int32" && (value < -(2 ** 31) || value >= 2 ** 31)) {
    causes.push(invalid(field, value, `Checked value must be of type integer with format int32 in ${field}`));
  }
}

function checkText(schema: JsonMap, value: string, field: string, causes: Cause[]): void {
  const { minLength, maxLength, pattern, format } = schema;
  const length = [...value].length;
  if (typeof minLength === "number" && length < minLength) {
    causes.push(invalid(field, value, `${field} in body should be at least ${minLength} chars long`));
  }
  if (typeof maxLength === "number" && length > maxLength) {
    const message = `Too long: may not be more than ${maxLength} bytes`;
    causes.push({ reason: "FieldValueTooLong", message, field });
  }
  if (typeof pattern === "string" && !regularExpression(pattern).test(value)) {
    causes.push(invalid(field, value, `${field} in body should match '${pattern}'`));
  }
  if (typeof format === "string" && FORMATS[format]?.(value) === false) {
    causes.push(invalid(field, value, `${field} in body must be of type ${format}: ${JSON.stringify(value)}`));
  }
}

/** Go's syntax allows escapes that JavaScript takes only without its unicode mode. */
export function regularExpression(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch {
    return new RegExp(text);
  }
}

const isCidr = (text: string): boolean => {
  const [address = "", length = "", ...more] = text.split("/");
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= most;
};

/** Others are not checked, as the real server leaves unknown formats unchecked. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  "date-time": (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i.test(text),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
};

function checkList(schema: JsonMap, value: readonly Json[], field: string, causes: Cause[]): void {
  const { minItems, maxItems, items } = schema;
  if (typeof minItems === "number" && value.length < minItems) {
    causes.push(invalid(field, value.length, `${field} in body should have at least ${minItems} items`));
  }
  if (typeof maxItems === "number" && value.length > maxItems) {
    const message = `Too many: ${value.length}: must have at most ${maxItems} items`;
    causes.push({ reason: "FieldValueTooMany", message, field });
  }
  const keys = identityKeys(schema);
  value.forEach((item, place) => {
    if (isMap(items)) check(items, item, `${field}[${place}]`, causes);
    if (keys === undefined) return;
    const again = value.slice(0, place).some((former) => same(identity(former, keys), identity(item, keys)));
    if (again) {
      const message = `Duplicate value: ${JSON.stringify(identity(item, keys))}`;
      causes.push({ reason: "FieldValueDuplicate", message, field: `${field}[${place}]` });
    }
  });
}

/** Of lists that are sets or maps; none of others. */
function identityKeys(schema: JsonMap): string[] | undefined {
  if (schema["x-kubernetes-list-type"] === "set") return [];
  if (schema["x-kubernetes-list-type"] !== "map") return undefined;
  const keys = schema["x-kubernetes-list-map-keys"];
  return Array.isArray(keys) ? keys.map(String) : undefined;
}

const identity = (item: Json, keys: readonly string[]): Json =>
  keys.length === 0 || !isMap(item) ? item : Object.fromEntries(keys.map((key) => [key, item[key] ?? null]));

function checkMap(schema: JsonMap, value: JsonMap, field: string, causes: Cause[], old?: Json): void {
  const { required, properties, additionalProperties, minProperties, maxProperties } = schema;
  const under = (key: string) => (field === "" ? key : `${field}.${key}`);
  for (const key of Array.isArray(required) ? required : []) {
    if (typeof key === "string" && !Object.hasOwn(value, key)) causes.push(requiredField(under(key)));
  }
  const count = Object.keys(value).length;
  if (typeof minProperties === "number" && count < minProperties) {
    causes.push(invalid(field, count, `${field} in body should have at least ${minProperties} properties`));
  }
  if (typeof maxProperties === "number" && count > maxProperties) {
    causes.push(invalid(field, count, `${field} in body should have at most ${maxProperties} properties`));
  }
  const known: JsonMap = isMap(properties) ? properties : {};
  for (const [key, inner] of Object.entries(value)) {
    const its = Object.hasOwn(known, key) ? known[key] : additionalProperties;
    const before = isMap(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    if (isMap(its)) check(its, inner, under(key), causes, before);
  }
}

const list = (value: Json | undefined): JsonMap[] => (Array.isArray(value) ? value.filter(isMap) : []);

function fits(schema: JsonMap, value: Json): boolean {
  const causes: Cause[] = [];
  check(schema, value, "", causes);
  return causes.length === 0;
}

function checkCombined(schema: JsonMap, value: Json, field: string, causes: Cause[]): void {
  for (const each of list(schema["allOf"])) check(each, value, field, causes);
  const any = list(schema["anyOf"]);
  if (any.length > 0 && !any.some((each) => fits(each, value))) {
    causes.push(invalid(field, value, `${field} in body must validate at least one schema (anyOf)`));
  }
  const one = list(schema["oneOf"]);
  if (one.length > 0 && one.filter((each) => fits(each, value)).length !== 1) {
    causes.push(invalid(field, value, `${field} in body must validate one and only one schema (oneOf)`));
  }
  if (isMap(schema["not"]) && fits(schema["not"], value)) {
    causes.push(invalid(field, value, `${field} in body must not validate the schema (not)`));
  }
}
