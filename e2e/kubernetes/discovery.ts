/** What kubectl asks before anything else: groups, versions, kinds and their verbs, and the server's version. */
import type { Catalog } from "./catalog.ts";
import type { JsonMap } from "./json.ts";
import { NoSuchPath } from "./refusal.ts";
import { groupVersion, type Resource } from "./resource.ts";
import { REVIEWS } from "./reviews.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** kubectl goes by the two numbers; overland does by none. */
export const VERSION: JsonMap = {
  major: "1",
  minor: "33",
  gitVersion: "v1.33.0",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2025-04-23T13:00:00Z",
  goVersion: "go1.24.2",
  compiler: "gc",
  platform: "linux/amd64",
};

/** Answers /api, /api/v1, /apis, /apis/GROUP and /apis/GROUP/VERSION. */
export function discovery(catalog: Catalog, path: string): JsonMap {
  const [root, group, version, ...more] = path.split("/").filter((part) => part !== "");
  if (root === "api" && group === undefined)
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  if (root === "api" && group === "v1" && version === undefined) return resourceList(catalog, "", "v1");
  if (root !== "apis" || more.length > 0) throw new NoSuchPath();
  if (group === undefined) {
    const names = [...new Set([...catalog.all(), ...REVIEWS].map((resource) => resource.group))].filter(
      (name) => name !== "",
    );
    return { kind: "APIGroupList", apiVersion: "v1", groups: names.map((name) => groupOf(catalog, name)) };
  }
  if (version === undefined) return { kind: "APIGroup", apiVersion: "v1", ...groupOf(catalog, group) };
  return resourceList(catalog, group, version);
}

function groupOf(catalog: Catalog, group: string): JsonMap {
  const known = [...catalog.all(), ...REVIEWS].filter((resource) => resource.group === group);
  const versions = [...new Set(known.map(({ version }) => version))].map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }));
  const [preferredVersion] = versions;
  if (preferredVersion === undefined) throw new NoSuchPath();
  return { name: group, versions, preferredVersion };
}

function resourceList(catalog: Catalog, group: string, version: string): JsonMap {
  const served = (resource: { group: string; version: string }) =>
    resource.group === group && resource.version === version;
  const reviews = REVIEWS.filter(served);
  const resources = catalog.all().filter(served);
  if (resources.length + reviews.length === 0) throw new NoSuchPath();
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources: [
      ...resources.flatMap(entries),
      ...reviews.map(({ plural, kind, namespaced }) => ({
        name: plural,
        singularName: kind.toLowerCase(),
        namespaced,
        kind,
        verbs: ["create"],
      })),
    ],
  };
}

function entries(resource: Resource): JsonMap[] {
  const { plural, singular, kind, namespaced, shortNames, categories } = resource;
  const main: JsonMap = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: VERBS,
    ...(shortNames.length > 0 && { shortNames: [...shortNames] }),
    ...(categories.length > 0 && { categories: [...categories] }),
    storageVersionHash: Buffer.from(groupVersion(resource) + plural)
      .toString("base64")
      .slice(0, 12),
  };
  const under = (name: string, more: JsonMap): JsonMap => ({
    name: `${plural}/${name}`,
    singularName: "",
    namespaced,
    ...more,
  });
  return [
    main,
    ...(resource.status ? [under("status", { kind, verbs: ["get", "patch", "update"] })] : []),
    ...(kind === "Pod"
      ? [under("eviction", { group: "policy", version: "v1", kind: "Eviction", verbs: ["create"] })]
      : []),
    ...(kind === "ServiceAccount"
      ? [under("token", { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", verbs: ["create"] })]
      : []),
  ];
}
