/** RBAC: what Roles, ClusterRoles and their bindings allow. */

import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from "./built-in.ts";
import type { Identity } from "./identities.ts";
import { isMap, type Json, type JsonMap, type KubeObject, listAt, mapAt, textAt } from "./json.ts";
import { collectionOf, keyOf } from "./resource.ts";
import type { Store } from "./store.ts";

export interface Deed {
  readonly verb: string;
  readonly group: string;
  /** Plural, with /subresource where there is one; "" for a path that is no resource. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
}

/** What every authenticated user may, by system:basic-user and system:discovery. */
const FOR_ALL: readonly JsonMap[] = [
  {
    verbs: ["create"],
    apiGroups: ["authorization.k8s.io"],
    resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
  },
  { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
  {
    verbs: ["get"],
    nonResourceURLs: ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version", "/version/"].concat([
      "/healthz",
      "/livez",
      "/readyz",
    ]),
  },
];

export function isAllowed(store: Store, who: Identity, deed: Deed): boolean {
  if (who.groups.includes("system:masters")) return true;
  return rulesOf(store, who, deed.namespace).some((rule) => allows(rule, deed));
}

export function rulesOf(store: Store, who: Identity, namespace: string): JsonMap[] {
  const rules: JsonMap[] = who.groups.includes("system:authenticated") ? [...FOR_ALL] : [];
  for (const binding of store.all(collectionOf(CLUSTER_ROLE_BINDINGS))) {
    if (binds(binding, who)) rules.push(...rulesOfRole(store, binding));
  }
  if (namespace === "") return rules;
  for (const binding of store.all(collectionOf(ROLE_BINDINGS))) {
    if (binding.metadata.namespace === namespace && binds(binding, who)) rules.push(...rulesOfRole(store, binding));
  }
  return rules;
}

function binds(binding: KubeObject, who: Identity): boolean {
  return listAt(binding, "subjects").some((subject) => {
    const name = textAt(subject, "name");
    switch (textAt(subject, "kind")) {
      case "User":
        return who.name === name;
      case "Group":
        return who.groups.includes(name);
      case "ServiceAccount":
        return who.name === `system:serviceaccount:${textAt(subject, "namespace")}:${name}`;
      default:
        return false;
    }
  });
}

function rulesOfRole(store: Store, binding: KubeObject): JsonMap[] {
  const { kind, name } = mapAt(binding, "roleRef");
  const named = textAt(name);
  const role =
    kind === "Role"
      ? store.get(collectionOf(ROLES), keyOf(binding.metadata.namespace, named))
      : store.get(collectionOf(CLUSTER_ROLES), named);
  if (role === undefined) return [];
  return [role, ...aggregated(store, role)].flatMap((each) => listAt(each, "rules").filter(isMap));
}

/** ClusterRoles that gather others by their labels; a controller writes their rules in a real cluster. */
function aggregated(store: Store, role: KubeObject): KubeObject[] {
  const selectors = listAt(role, "aggregationRule", "clusterRoleSelectors").map((one) => mapAt(one, "matchLabels"));
  if (selectors.length === 0) return [];
  const chosen = ({ metadata: { labels = {} } }: KubeObject) =>
    selectors.some((wanted) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
  return [...store.all(collectionOf(CLUSTER_ROLES))].filter(chosen);
}

const holds = (list: readonly Json[], wanted: string): boolean => list.includes("*") || list.includes(wanted);

function allows(rule: JsonMap, { verb, group, resource, name, path }: Deed): boolean {
  if (!holds(listAt(rule, "verbs"), verb)) return false;
  if (resource === "") {
    return listAt(rule, "nonResourceURLs").some(
      (url) => url === path || (typeof url === "string" && url.endsWith("*") && path.startsWith(url.slice(0, -1))),
    );
  }
  const names = listAt(rule, "resourceNames");
  const [, subresource] = resource.split("/");
  const resources = listAt(rule, "resources");
  return (
    holds(listAt(rule, "apiGroups"), group) &&
    (holds(resources, resource) || (subresource !== undefined && resources.includes(`*/${subresource}`))) &&
    (names.length === 0 || names.includes(name))
  );
}

/** The words of the real server, so that what a program makes of them is tried. */
export function denial(who: Identity, { verb, group, resource, namespace, name, path }: Deed): string {
  const subject = `User "${who.name}" cannot`;
  if (resource === "") return `forbidden: ${subject} ${verb} path "${path}"`;
  const [plural = "", subresource] = resource.split("/");
  const whose = `${plural}${group === "" ? "" : `.${group}`}${name === "" ? "" : ` "${name}"`} is forbidden`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const what = `resource "${plural}${subresource === undefined ? "" : `/${subresource}`}" in API group "${group}"`;
  return `${whose}: ${subject} ${verb} ${what} ${where}`;
}
