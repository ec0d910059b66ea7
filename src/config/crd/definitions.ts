/**
 * The custom resource definitions: the schemas that `overland apply` checks with, as the API server takes them. What
 * operators read is manifests/crds/; `npm run build` writes it, and a test compares.
 */
import { API_VERSION, KINDS, type Kind, PLURALS, shortNamesFor } from "../kinds.ts";
import { specOf } from "../schema/document.ts";
import { CEL_RULES, UNIQUE } from "./cel-rules.ts";
import { changedAt, stepsOf, withRules } from "./place-rules.ts";
import { COLUMNS } from "./printer-columns.ts";
import { type Structural, structuralSchema } from "./structural.ts";

const [GROUP, VERSION] = API_VERSION.split("/") as [string, string];

/** A Node's settings are annotations of the Kubernetes Node: it needs no resource of its own there. */
export type CustomKind = Exclude<Kind, "Node">;
export const CUSTOM_KINDS = KINDS.filter((kind) => kind !== "Node");

const SUMMARIES: Readonly<Record<CustomKind, string>> = {
  IPPool: "A range of pod addresses, cut into blocks that nodes own and announce.",
  IPReservation: "Addresses that are given out only to those who ask for exactly them.",
  IPAMConfiguration: "How the cluster gives out addresses. There is one, called default.",
  BGPConfiguration: "BGP of the cluster (default), or of one node (node.<name>).",
  BGPFilter: "What is done with the routes of the peers that name it.",
  BGPPeer: "Who peers with whom.",
};

/** `describe` gives words for a field, by its name; undefined: none are known. */
export function definitionOf(kind: CustomKind, describe: (field: string) => string | undefined) {
  const plural = PLURALS[kind];
  const shortNames = shortNamesFor(kind);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}`, labels: { "app.kubernetes.io/part-of": "overland" } },
    spec: {
      group: GROUP,
      scope: "Cluster",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(shortNames.length > 0 && { shortNames }),
        categories: ["overland"],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS[kind],
          schema: { openAPIV3Schema: schemaOf(kind, describe) },
        },
      ] as const,
    },
  };
}

function schemaOf(kind: CustomKind, describe: (field: string) => string | undefined): Structural {
  const { schema, required } = specOf(kind);
  const whole: Structural = {
    description: SUMMARIES[kind],
    type: "object",
    ...(required && { required: ["spec"] }),
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: described(structuralSchema(schema), describe),
      status: STATUS,
    },
  };
  let at = withRules(whole, CEL_RULES[kind]);
  for (const [place, keys] of Object.entries(UNIQUE)) {
    const [of, path] = place.split(" ") as [string, string];
    if (of !== kind) continue;
    at = changedAt(at, stepsOf(path), (list) => ({
      ...list,
      "x-kubernetes-list-type": keys.length === 0 ? "set" : "map",
      ...(keys.length > 0 && { "x-kubernetes-list-map-keys": keys }),
    }));
  }
  return at;
}

function described(node: Structural, describe: (field: string) => string | undefined): Structural {
  const { properties, items } = node;
  return {
    ...node,
    ...(items !== undefined && { items: described(items, describe) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, inner]) => {
          const words = describe(name);
          const deeper = described(inner, describe);
          return [name, words === undefined ? deeper : { description: words, ...deeper }];
        }),
      ),
    }),
  };
}

/** What the controller says of a resource: `Accepted`, and why not. */
const STATUS: Structural = {
  type: "object",
  description: "Written by Overland.",
  properties: {
    observedGeneration: { type: "integer", format: "int64" },
    conditions: {
      type: "array",
      maxItems: 8,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status", "reason", "message", "lastTransitionTime"],
        properties: {
          type: { type: "string", maxLength: 316, description: "Accepted: this is what is in force." },
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          observedGeneration: { type: "integer", format: "int64", minimum: 0 },
          lastTransitionTime: { type: "string", format: "date-time" },
          reason: { type: "string", maxLength: 1024 },
          message: {
            type: "string",
            maxLength: 32768,
            description: "When it is not accepted: the field, what is wrong with it, and what to do.",
          },
        },
      },
    },
  },
};
