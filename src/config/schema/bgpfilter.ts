/**
 * BGPFilter: what is done with the routes of the peers that name it. In each of its four lists the first rule that
 * matches decides; a rule matches when every condition in it is met.
 */
import { z } from "zod";
import { familyOfPrefix, formatPrefix, parsePrefix } from "../../../ipam/net/prefix.ts";
import { asNumber, cidr, community, text, whole } from "./fields.ts";
import { type FieldPath, type Problem, shown } from "./problem.ts";

const interfacePattern = text(
  (value) =>
    /^[A-Za-z0-9_.*?@-]{1,15}$/.test(value)
      ? undefined
      : `${shown(value)} is no name or pattern of an interface such as eth*: at most 15 letters, digits, _ . - @ * ?`,
  { pattern: "^[A-Za-z0-9_.*?@-]{1,15}$", maxLength: 15 },
);
/** 2147483647 less a priority is a LOCAL_PREF: both sides of it are left one value. */
const priority = whole(1, 2147483646);
const orEmpty = <T extends string>(values: readonly [T, ...T[]]) => z.enum([...values, ""]);

const operationSchema = z.strictObject({
  addCommunity: z.strictObject({ value: community }).exactOptional(),
  /** The path starts with these afterwards, in the order written. */
  prependASPath: z.strictObject({ prefix: z.array(asNumber).min(1).max(10) }).exactOptional(),
  setPriority: z.strictObject({ value: priority }).exactOptional(),
  /** Ours. On the way in only. */
  removeMED: z.strictObject({}).exactOptional(),
});

function ruleSchema(longest: 32 | 128) {
  const length = whole(0, longest);
  return z.strictObject({
    cidr: z.union([z.literal(""), cidr]).exactOptional(),
    /** In: the route's prefix is that of cidr or lies within it. */
    matchOperator: orEmpty(["Equal", "NotEqual", "In", "NotIn"]).exactOptional(),
    prefixLength: z.strictObject({ min: length.exactOptional(), max: length.exactOptional() }).exactOptional(),
    /** RemotePeers: only routes that came over BGP. */
    source: orEmpty(["RemotePeers"]).exactOptional(),
    /** Of the route; `*` stands for any characters, `?` for one. */
    interface: z.union([z.literal(""), interfacePattern]).exactOptional(),
    /** Only on sessions of that kind. */
    peerType: orEmpty(["eBGP", "iBGP"]).exactOptional(),
    communities: z.strictObject({ values: z.array(community) }).exactOptional(),
    asPathPrefix: z.array(asNumber).exactOptional(),
    priority: priority.exactOptional(),
    action: z.enum(["Accept", "Reject"]),
    operations: z.array(operationSchema).min(1).max(10).exactOptional(),
  });
}

// A limit far away: without one the API server has to expect millions, and refuses to check any of them.
const v4 = z.array(ruleSchema(32)).max(5000).exactOptional();
const v6 = z.array(ruleSchema(128)).max(5000).exactOptional();

export const bgpFilterSchema = z.strictObject({ exportV4: v4, importV4: v4, exportV6: v6, importV6: v6 });

export type BGPFilterSpec = z.output<typeof bgpFilterSchema>;

type Written = Readonly<Record<string, unknown>>;

const LISTS = ["exportV4", "importV4", "exportV6", "importV6"] as const;
const OPERATIONS = ["addCommunity", "prependASPath", "removeMED", "setPriority"];

/** Rules between fields, on the document as written; `base` is the path of the spec in it. */
export function bgpFilterRules(spec: Written, _name?: unknown, base: FieldPath = ["spec"]): Problem[] {
  return LISTS.flatMap((list) => {
    const rules = spec[list];
    if (!Array.isArray(rules)) return [];
    const family = list.endsWith("V4") ? 4 : 6;
    return rules.flatMap((rule: unknown, i) =>
      isMap(rule) ? ruleProblems(rule, family, list, [...base, list, i]) : [],
    );
  });
}

function ruleProblems(rule: Written, family: 4 | 6, list: string, path: FieldPath): Problem[] {
  const problems: Problem[] = [];
  const say = (field: string, message: string) => problems.push({ path: [...path, field], message });
  const has = (field: string) => rule[field] !== undefined && rule[field] !== "";
  if (has("cidr") && !has("matchOperator")) {
    say("matchOperator", "is required with cidr: Equal, NotEqual, In or NotIn");
  }
  for (const field of ["matchOperator", "prefixLength"]) {
    if (has(field) && !has("cidr")) say(field, "needs a cidr; add one, or remove it");
  }
  const prefix = typeof rule["cidr"] === "string" ? parsePrefix(rule["cidr"]) : undefined;
  if (prefix !== undefined && familyOfPrefix(prefix) !== family) {
    const other = list.replace(/V[46]$/, family === 4 ? "V6" : "V4");
    say("cidr", `${formatPrefix(prefix)} is not IPv${family}; move the rule to ${other}`);
  }
  problems.push(...lengthProblems(rule, prefix?.length ?? 0, path));
  const { communities } = rule;
  const values = isMap(communities) ? communities["values"] : undefined;
  if (Array.isArray(values) && values.length !== 1) {
    const cure = values.length === 0 ? "remove communities" : "write a rule for each";
    problems.push({
      path: [...path, "communities", "values"],
      message: `holds ${values.length} communities and has to hold one; ${cure}`,
    });
  }
  if (has("operations") && rule["action"] === "Reject") {
    say("operations", "change a route that is let pass; remove them, or use action: Accept");
  }
  return [...problems, ...operationProblems(rule["operations"], list, path)];
}

function lengthProblems(rule: Written, cidrLength: number, path: FieldPath): Problem[] {
  const { prefixLength, cidr: within, matchOperator } = rule;
  if (!isMap(prefixLength)) return [];
  const { min, max } = prefixLength;
  if (typeof max !== "number") return [];
  const at = [...path, "prefixLength", "max"];
  if (typeof min === "number" && min > max) return [{ path: at, message: `${max} is less than min, which is ${min}` }];
  if (max >= cidrLength || (matchOperator !== "In" && matchOperator !== "NotIn")) return [];
  return [{ path: at, message: `${max} is less than the length of ${String(within)}: nothing within it is so short` }];
}

function operationProblems(operations: unknown, list: string, path: FieldPath): Problem[] {
  if (!Array.isArray(operations)) return [];
  return operations.flatMap((operation: unknown, i) => {
    if (!isMap(operation)) return [];
    const given = OPERATIONS.filter((field) => operation[field] !== undefined);
    if (given.length === 1) {
      if (given[0] !== "removeMED" || list.startsWith("import")) return [];
      const why = "comes too late on the way out: MED is removed before routes are compared (RFC 4271 5.1.4)";
      const cure = `move it to ${list.replace("export", "import")}`;
      return [{ path: [...path, "operations", i, "removeMED"], message: `${why}; ${cure}` }];
    }
    const message =
      given.length === 0
        ? `says nothing to do: one of ${OPERATIONS.join(", ")}`
        : `holds ${given.join(" and ")}; each entry does one thing: write them as entries of their own`;
    return [{ path: [...path, "operations", i], message }];
  });
}

function isMap(value: unknown): value is Written {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
