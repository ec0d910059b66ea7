/** One document, already read as data: a resource, or everything that is wrong with it. */
import type { z } from "zod";
import { ACCEPTED_API_VERSIONS, API_VERSION, isKind, KINDS, type Kind, kindCalled, whyUnsupported } from "../kinds.ts";
import type { Metadata, Resource } from "../resource.ts";
import { nearestName } from "../suggest.ts";
import { bgpConfigurationRules, bgpConfigurationSchema } from "./bgpconfiguration.ts";
import { bgpFilterRules, bgpFilterSchema } from "./bgpfilter.ts";
import { bgpPeerRules, bgpPeerSchema } from "./bgppeer.ts";
import { ipamConfigurationRules, ipamConfigurationSchema } from "./ipamconfiguration.ts";
import { completeIPPool, ipPoolRules, ipPoolSchema } from "./ippool.ts";
import { ipReservationSchema } from "./ipreservation.ts";
import { problemsOf } from "./issues.ts";
import { metadataRules, metadataSchema } from "./metadata.ts";
import { nodeRules, nodeSchema } from "./node.ts";
import { type FieldPath, type Problem, pathText, shown } from "./problem.ts";

type Raw = Readonly<Record<string, unknown>>;

interface KindSchema {
  readonly schema: z.ZodType;
  /** Rules that one field alone cannot show; they see the document as written. */
  rules(spec: Raw, name: unknown): Problem[];
  /** Defaults that depend on other fields. */
  complete?(spec: never): unknown;
}

const SCHEMAS: Readonly<Record<Kind, KindSchema>> = {
  IPPool: { schema: ipPoolSchema, rules: ipPoolRules, complete: completeIPPool },
  IPReservation: { schema: ipReservationSchema, rules: () => [] },
  IPAMConfiguration: { schema: ipamConfigurationSchema, rules: ipamConfigurationRules },
  BGPConfiguration: { schema: bgpConfigurationSchema, rules: bgpConfigurationRules },
  BGPFilter: { schema: bgpFilterSchema, rules: bgpFilterRules },
  BGPPeer: { schema: bgpPeerSchema, rules: bgpPeerRules },
  Node: { schema: nodeSchema, rules: nodeRules },
};

/** A Node may say nothing about itself but its name and labels; in the others every field has a default. */
const MAY_LACK_SPEC: ReadonlySet<Kind> = new Set(["Node", "BGPConfiguration", "IPAMConfiguration"]);

/** What `spec` of a kind may be, and whether it has to be there. */
export function specOf(kind: Kind): { readonly schema: z.ZodType; readonly required: boolean } {
  return { schema: SCHEMAS[kind].schema, required: !MAY_LACK_SPEC.has(kind) };
}

export type Checked = { readonly resource: Resource } | { readonly problems: readonly Problem[] };

/** `raw` is plain data (maps, lists, text, numbers, booleans, null); what is null counts as not written. */
export function checkDocument(raw: unknown): Checked {
  const document = withoutNulls(raw);
  if (!isMap(document))
    return { problems: [{ path: [], message: `expected a resource (a map), found ${shown(raw)}` }] };
  const kind = document["kind"];
  const headProblems = checkHead(document);
  if (typeof kind !== "string" || !isKind(kind)) return { problems: headProblems };
  const metadata = checkPart(metadataSchema, document["metadata"], ["metadata"], metadataRules);
  const { schema, rules, complete } = SCHEMAS[kind];
  const name = isMap(document["metadata"]) ? document["metadata"]["name"] : undefined;
  const rawSpec = document["spec"] ?? (MAY_LACK_SPEC.has(kind) ? {} : undefined);
  const spec = checkPart(schema, rawSpec, ["spec"], (written) => rules(written, name));
  const problems = [...headProblems, ...metadata.problems, ...spec.problems];
  if (problems.length > 0) return { problems };
  const value = complete === undefined ? spec.value : complete(spec.value as never);
  return { resource: { apiVersion: API_VERSION, kind, metadata: metadataOf(metadata.value), spec: value } as Resource };
}

/** The resource in a store's value, with what the store gave it. */
export function checkStored(value: string): Checked {
  let raw: unknown;
  try {
    raw = JSON.parse(value);
  } catch {
    return { problems: [{ path: [], message: "is not JSON" }] };
  }
  const checked = checkDocument(raw);
  if ("problems" in checked) return checked;
  const { uid, creationTimestamp } = (raw as { metadata: Record<string, unknown> }).metadata;
  const given = {
    ...(typeof uid === "string" && { uid }),
    ...(typeof creationTimestamp === "string" && { creationTimestamp }),
  };
  return { resource: { ...checked.resource, metadata: { ...checked.resource.metadata, ...given } } };
}

function checkHead(document: Raw): Problem[] {
  const problems: Problem[] = [];
  const { apiVersion, kind } = document;
  if (typeof kind !== "string") {
    problems.push({
      path: ["kind"],
      message: kind === undefined ? `is required: ${KINDS.join(", ")}` : kindFault(kind),
    });
  } else if (!isKind(kind)) {
    problems.push({ path: ["kind"], message: kindFault(kind) });
    // Nothing else is known about a kind that is none of ours.
    return problems;
  }
  if (!ACCEPTED_API_VERSIONS.includes(apiVersion as string)) {
    const said = apiVersion === undefined ? "is required" : `${shown(apiVersion)} is unknown`;
    problems.push({ path: ["apiVersion"], message: `${said}; expected ${ACCEPTED_API_VERSIONS.join(" or ")}` });
  }
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  for (const key of Object.keys(document).filter((field) => !known.includes(field))) {
    const near = nearestName(key, known);
    const hint = near === undefined ? `; known here: ${known.join(", ")}` : `; did you mean ${near}?`;
    problems.push({ path: [key], message: `unknown field${hint}` });
  }
  return problems;
}

function kindFault(kind: unknown): string {
  if (typeof kind !== "string") return `${shown(kind)} is not a kind; known kinds: ${KINDS.join(", ")}`;
  const why = whyUnsupported(kind);
  if (why !== undefined) return `${kind}: ${why}`;
  const near = kindCalled(kind) ?? nearestName(kind, KINDS);
  const hint = near === undefined ? `known kinds: ${KINDS.join(", ")}` : `did you mean ${near}?`;
  return `${shown(kind)} is unknown; ${hint}`;
}

function checkPart(schema: z.ZodType, raw: unknown, path: FieldPath, rules: (written: Raw) => Problem[]) {
  const result = schema.safeParse(raw);
  const problems = result.success ? [] : problemsOf(result.error, schema, raw, path);
  const wrong = new Set(problems.map((problem) => pathText(problem.path)));
  // A field that is wrong by itself needs no second complaint.
  if (isMap(raw)) problems.push(...rules(raw).filter((problem) => !wrong.has(pathText(problem.path))));
  return { value: result.success ? result.data : undefined, problems };
}

function metadataOf(value: unknown): Metadata {
  const { name, labels, annotations } = value as Metadata;
  return {
    name,
    ...(labels !== undefined && Object.keys(labels).length > 0 && { labels }),
    ...(annotations !== undefined && Object.keys(annotations).length > 0 && { annotations }),
  };
}

function isMap(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// As in Kubernetes, `field:` with nothing behind it is a field not written.
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMap(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner)]));
}
