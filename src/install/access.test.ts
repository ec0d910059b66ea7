/** What agent and controller may do in a cluster: what they do, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import * as port from "../cluster/port.ts";
import { CUSTOM_KINDS } from "../config/crd/definitions.ts";
import { PLURALS } from "../config/kinds.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Document {
  readonly kind: string;
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** `watch nodes`, of the cluster or, behind `own `, of the own namespace alone. */
function granted(program: string): string[] {
  const text = readFileSync(join(ROOT, `manifests/base/${program}-access.yaml`), "utf8");
  const documents = parseAllDocuments(text).map((one) => one.toJS() as Document);
  return documents.flatMap(({ kind, rules = [] }) =>
    rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${kind === "Role" ? "own " : ""}${verb} ${resource}`)),
    ),
  );
}

const reads = (resource: string) => ["get", "list", "watch"].map((verb) => `${verb} ${resource}`);

/** By the design; each line says what for. */
const AGENT = [
  // Labels, annotations, cordon; its annotations and taint; NetworkUnavailable.
  ...reads("nodes"),
  "patch nodes",
  "patch nodes/status",
  // Addresses and pools that pods and namespaces ask for.
  ...reads("pods"),
  ...reads("namespaces"),
  ...reads("services"),
  ...reads("endpointslices"),
  // Passwords of peers.
  ...reads("secrets").map((one) => `own ${one}`),
];

const plurals = CUSTOM_KINDS.map((kind) => PLURALS[kind]);

const CONTROLLER = [
  ...plurals.flatMap(reads),
  ...plurals.map((plural) => `patch ${plural}/status`),
  "patch ippools",
  // Of these kinds only, by their names.
  "get customresourcedefinitions",
  ...reads("nodes"),
  ...reads("services"),
  // Labels, for pools of addresses for services.
  ...reads("namespaces"),
  "patch services/status",
  "create events",
  ...["get", "create", "update"].map((verb) => `own ${verb} leases`),
];

describe("the rights granted in manifests/", () => {
  it.each([
    ["agent", AGENT],
    ["controller", CONTROLLER],
  ])("to the %s are exactly these, each once", (program, wanted) => {
    expect(granted(program).sort()).toEqual([...wanted].sort());
  });

  it("nobody may do everything, and nobody may read Secrets of others", () => {
    const all = [...granted("agent"), ...granted("controller")];
    expect(all.filter((one) => one.includes("*"))).toEqual([]);
    expect(all.filter((one) => one.endsWith(" secrets") && !one.startsWith("own "))).toEqual([]);
  });
});

describe("what the program asks of an API server", () => {
  const types = Object.entries(port).filter(([name]) => /^[A-Z_]+$/.test(name)) as [string, { plural: string }][];

  it.each([
    ["agent", ["src/agent"]],
    ["controller", ["src/controller"]],
  ])("%s names no kind of object that it may not read", (program, folders) => {
    const rights = granted(program).map((one) => one.replace("own ", ""));
    const named = types.filter(([name]) => sourcesIn(folders).some((text) => new RegExp(`\\b${name}\\b`).test(text)));
    const missing = named.filter(([, { plural }]) => !rights.some((one) => one.split(" ")[1] === plural));
    expect(missing.map(([name]) => name)).toEqual([]);
  });
});

function sourcesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".ts") && !/\.test\.ts$|-for-tests/.test(name))
      .map((name) => readFileSync(join(ROOT, folder, name), "utf8")),
  );
}
