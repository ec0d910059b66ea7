/** What the API server fills in and refuses of its built-in kinds, as far as clients of this program meet it. */
import { eventAsGiven, eventProblems, leaseAsGiven, leaseProblems } from "./event-and-lease-rules.ts";
import { at, isMap, type Json, type JsonMap, type KubeObject, listAt, mapAt, same, textAt } from "./json.ts";
import { nodeProblems } from "./metadata-rules.ts";
import { type Cause, forbiddenField, invalidField, requiredField } from "./refusal.ts";
import { collectionOf, type Resource } from "./resource.ts";
import { type ServiceRanges, serviceDefaults, serviceProblems } from "./service-rules.ts";

interface KindRules {
  fill?(draft: KubeObject, old: KubeObject | undefined, ranges: ServiceRanges): KubeObject;
  problems?(draft: KubeObject, old: KubeObject | undefined): Cause[];
}

/** Seconds; as the DefaultTolerationSeconds admission plugin has it. */
const PATIENCE = 300;

function podDefaults(draft: KubeObject, old: KubeObject | undefined): KubeObject {
  const given = mapAt(draft, "spec");
  const spec: JsonMap = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
    enableServiceLinks: true,
    preemptionPolicy: "PreemptLowerPriority",
    serviceAccountName: "default",
    ...given,
  };
  spec["serviceAccount"] = spec["serviceAccountName"] as Json;
  spec["containers"] = listAt(given, "containers")
    .filter(isMap)
    .map((container): JsonMap => {
      const image = textAt(container, "image");
      return {
        resources: {},
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        imagePullPolicy: /:[^/]+$/.test(image) && !image.endsWith(":latest") ? "IfNotPresent" : "Always",
        ...container,
      };
    });
  if (old === undefined) {
    const tolerations = listAt(given, "tolerations");
    for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
      if (tolerations.some((one) => textAt(one, "key") === key || (isMap(one) && one["key"] === undefined))) continue;
      tolerations.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: PATIENCE });
    }
    spec["tolerations"] = tolerations;
  }
  return { ...draft, spec, status: draft["status"] ?? { phase: "Pending", qosClass: "BestEffort" } };
}

/** Of a pod's spec only these may change. */
function fixedPartOfPod(object: KubeObject): JsonMap {
  const {
    activeDeadlineSeconds: _,
    terminationGracePeriodSeconds: __,
    tolerations: ___,
    ...rest
  } = mapAt(object, "spec");
  const images = (list: Json[]): Json[] => list.map((one) => (isMap(one) ? { ...one, image: "" } : one));
  return {
    ...rest,
    containers: images(listAt(rest, "containers")),
    initContainers: images(listAt(rest, "initContainers")),
  };
}

function podProblems(draft: KubeObject, old: KubeObject | undefined): Cause[] {
  if (listAt(draft, "spec", "containers").length === 0) return [requiredField("spec.containers")];
  const grace = at(draft, "spec", "terminationGracePeriodSeconds");
  if (!Number.isInteger(grace) || Number(grace) > 2 ** 31) {
    return [invalidField("spec.terminationGracePeriodSeconds", grace, "must be a number of seconds")];
  }
  if (old === undefined || same(fixedPartOfPod(draft), fixedPartOfPod(old))) return [];
  return [
    forbiddenField(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    ),
  ];
}

function secretDefaults(draft: KubeObject): KubeObject {
  const { stringData, ...rest } = draft;
  const data = { ...mapAt(rest, "data") };
  // Go's decoder skips line ends, which kustomize's generators write.
  for (const [key, value] of Object.entries(data)) {
    if (typeof value === "string") data[key] = value.replaceAll(/[\r\n]/g, "");
  }
  for (const [key, value] of Object.entries(isMap(stringData) ? stringData : {})) {
    data[key] = Buffer.from(textAt(value)).toString("base64");
  }
  const held = Object.keys(data).length > 0 ? { data } : {};
  return { ...rest, ...held, type: textAt(rest, "type") || "Opaque" };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function secretProblems(draft: KubeObject, old: KubeObject | undefined): Cause[] {
  const causes = Object.entries(mapAt(draft, "data")).flatMap(([key, value]) =>
    typeof value === "string" && BASE64.test(value) ? [] : [invalidField(`data[${key}]`, value, "illegal base64 data")],
  );
  return [...causes, ...fixed("type")(draft, old)];
}

const fixed =
  (...path: string[]) =>
  (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
    if (old === undefined || textAt(draft, ...path) === textAt(old, ...path)) return [];
    return [invalidField(path.join("."), textAt(draft, ...path), "field is immutable")];
  };

function sliceProblems(draft: KubeObject, old: KubeObject | undefined): Cause[] {
  const type = textAt(draft, "addressType");
  const causes = fixed("addressType")(draft, old);
  if (type === "") return [...causes, requiredField("addressType")];
  if (!["IPv4", "IPv6", "FQDN"].includes(type)) {
    causes.push(invalidField("addressType", type, 'supported values: "FQDN", "IPv4", "IPv6"'));
  }
  listAt(draft, "endpoints").forEach((endpoint, place) => {
    const addresses = listAt(endpoint, "addresses");
    const field = `endpoints[${place}].addresses`;
    if (addresses.length === 0) causes.push(requiredField(field, "must contain at least 1 address"));
    addresses.forEach((address, index) => {
      const fits = type === "FQDN" || textAt(address).includes(":") === (type === "IPv6");
      if (!fits) causes.push(invalidField(`${field}[${index}]`, address, `must be a valid ${type} address`));
    });
  });
  return causes;
}

const sliceDefaults = (draft: KubeObject): KubeObject => {
  const ports = listAt(draft, "ports").filter(isMap);
  const filled = ports.map((port): JsonMap => ({ name: "", protocol: "TCP", ...port }));
  return { ...draft, endpoints: listAt(draft, "endpoints"), ports: filled };
};

function namespaceDefaults(draft: KubeObject): KubeObject {
  const labels = { "kubernetes.io/metadata.name": draft.metadata.name, ...draft.metadata.labels };
  const spec = { finalizers: ["kubernetes"], ...mapAt(draft, "spec") };
  return { ...draft, metadata: { ...draft.metadata, labels }, spec, status: draft["status"] ?? { phase: "Active" } };
}

const WHOLE: JsonMap = { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
const QUARTERS: JsonMap = { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } };

const daemonSetDefaults = (draft: KubeObject): KubeObject => ({
  ...draft,
  spec: { revisionHistoryLimit: 10, updateStrategy: WHOLE, ...mapAt(draft, "spec") },
});

const deploymentDefaults = (draft: KubeObject): KubeObject => ({
  ...draft,
  spec: {
    replicas: 1,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    strategy: QUARTERS,
    ...mapAt(draft, "spec"),
  },
});

const roleProblems = (draft: KubeObject): Cause[] =>
  listAt(draft, "rules").flatMap((rule, place) =>
    listAt(rule, "verbs").length === 0
      ? [requiredField(`rules[${place}].verbs`, "verbs must contain at least one value")]
      : [],
  );

function bindingProblems(draft: KubeObject, old: KubeObject | undefined): Cause[] {
  if (old === undefined || same(draft["roleRef"], old["roleRef"])) return [];
  return [invalidField("roleRef", draft["roleRef"], "cannot change roleRef")];
}

const bindingDefaults = (draft: KubeObject): KubeObject => ({
  ...draft,
  roleRef: { apiGroup: "rbac.authorization.k8s.io", ...mapAt(draft, "roleRef") },
});

const BINDING: KindRules = { fill: bindingDefaults, problems: bindingProblems };

const RULES: Readonly<Record<string, KindRules>> = {
  "/pods": { fill: podDefaults, problems: podProblems },
  "/services": { fill: serviceDefaults, problems: serviceProblems },
  "/secrets": { fill: secretDefaults, problems: secretProblems },
  "/nodes": { problems: nodeProblems },
  "/events": { fill: eventAsGiven, problems: eventProblems },
  "coordination.k8s.io/leases": { fill: leaseAsGiven, problems: leaseProblems },
  "apps/daemonsets": { fill: daemonSetDefaults },
  "apps/deployments": { fill: deploymentDefaults },
  "/namespaces": { fill: namespaceDefaults },
  "discovery.k8s.io/endpointslices": { fill: sliceDefaults, problems: sliceProblems },
  "rbac.authorization.k8s.io/roles": { problems: roleProblems },
  "rbac.authorization.k8s.io/clusterroles": { problems: roleProblems },
  "rbac.authorization.k8s.io/rolebindings": BINDING,
  "rbac.authorization.k8s.io/clusterrolebindings": BINDING,
};

export function filled(resource: Resource, draft: KubeObject, old: KubeObject | undefined, ranges: ServiceRanges) {
  return RULES[collectionOf(resource)]?.fill?.(draft, old, ranges) ?? draft;
}

export const problemsOf = (resource: Resource, draft: KubeObject, old: KubeObject | undefined): Cause[] =>
  RULES[collectionOf(resource)]?.problems?.(draft, old) ?? [];
