/** Questions that are asked by creating something that is not kept: who am I, may I, give me a token. */
import { SERVICE_ACCOUNTS } from "./built-in.ts";
import type { Identities, Identity } from "./identities.ts";
import { isMap, type JsonMap, listAt, mapAt, textAt, timestamp } from "./json.ts";
import { notFound } from "./refusal.ts";
import { collectionOf, keyOf } from "./resource.ts";
import { type Deed, isAllowed, rulesOf } from "./rights.ts";
import type { Store } from "./store.ts";

interface Review {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  answer(asked: JsonMap, who: Identity, store: Store, identities: Identities): JsonMap;
}

const AUTHORIZATION = { group: "authorization.k8s.io", version: "v1", namespaced: false };
const AUTHENTICATION = { group: "authentication.k8s.io", version: "v1", namespaced: false };

const userInfo = ({ name, groups, uid }: Identity): JsonMap => ({
  username: name,
  groups: [...groups],
  ...(uid !== undefined && { uid }),
});

function deedOf(spec: JsonMap): Deed {
  const resource = mapAt(spec, "resourceAttributes");
  const path = mapAt(spec, "nonResourceAttributes");
  const subresource = textAt(resource, "subresource");
  return {
    verb: textAt(resource, "verb") || textAt(path, "verb"),
    group: textAt(resource, "group"),
    resource: textAt(resource, "resource") + (subresource === "" ? "" : `/${subresource}`),
    namespace: textAt(resource, "namespace"),
    name: textAt(resource, "name"),
    path: textAt(path, "path"),
  };
}

export const REVIEWS: readonly Review[] = [
  {
    ...AUTHORIZATION,
    plural: "selfsubjectaccessreviews",
    kind: "SelfSubjectAccessReview",
    answer: (spec, who, store) => ({ allowed: isAllowed(store, who, deedOf(spec)) }),
  },
  {
    ...AUTHORIZATION,
    plural: "subjectaccessreviews",
    kind: "SubjectAccessReview",
    answer: (spec, _, store) => {
      const who = { name: textAt(spec, "user"), groups: listAt(spec, "groups").map(String) };
      return { allowed: isAllowed(store, who, deedOf(spec)) };
    },
  },
  {
    ...AUTHORIZATION,
    plural: "selfsubjectrulesreviews",
    kind: "SelfSubjectRulesReview",
    answer(spec, who, store) {
      const all = who.groups.includes("system:masters");
      const everything: JsonMap[] = [
        { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
        { verbs: ["*"], nonResourceURLs: ["*"] },
      ];
      const rules = [...(all ? everything : []), ...rulesOf(store, who, textAt(spec, "namespace"))];
      const urls = (rule: JsonMap) => rule["nonResourceURLs"] !== undefined;
      return {
        resourceRules: rules.filter((rule) => !urls(rule)),
        nonResourceRules: rules.filter(urls),
        incomplete: false,
      };
    },
  },
  {
    ...AUTHENTICATION,
    plural: "selfsubjectreviews",
    kind: "SelfSubjectReview",
    answer: (_, who) => ({ userInfo: userInfo(who) }),
  },
  {
    ...AUTHENTICATION,
    plural: "tokenreviews",
    kind: "TokenReview",
    answer(spec, _, __, identities) {
      const found = identities.of(textAt(spec, "token"));
      return found === undefined ? { authenticated: false } : { authenticated: true, user: userInfo(found) };
    },
  },
];

export function reviewed(review: Review, body: unknown, who: Identity, store: Store, identities: Identities): JsonMap {
  const asked: JsonMap = isMap(body) ? body : {};
  const status = review.answer(mapAt(asked, "spec"), who, store, identities);
  const metadata = {};
  return {
    kind: review.kind,
    apiVersion: `${review.group}/${review.version}`,
    metadata,
    spec: asked["spec"] ?? {},
    status,
  };
}

/** POST to a service account's /token: the account has to be there. */
export function requestedToken(
  body: unknown,
  namespace: string,
  name: string,
  store: Store,
  identities: Identities,
): JsonMap {
  const account = store.get(collectionOf(SERVICE_ACCOUNTS), keyOf(namespace, name));
  if (account === undefined) throw notFound(SERVICE_ACCOUNTS, name);
  const spec = mapAt(isMap(body) ? body : {}, "spec");
  const seconds = Number(textAt(spec, "expirationSeconds") || 3600);
  const token = identities.addServiceAccount(namespace, name, seconds, listAt(spec, "audiences").map(String));
  const expirationTimestamp = timestamp(Date.now() + seconds * 1000);
  return {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace },
    spec: { ...spec, expirationSeconds: seconds },
    status: { token, expirationTimestamp },
  };
}
