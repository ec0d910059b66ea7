/** The built-in kinds that are served. Those that are only listed here are kept as they are written. */
import type { Resource } from "./resource.ts";

interface Traits {
  readonly short?: readonly string[];
  readonly all?: boolean;
  readonly status?: boolean;
  readonly generation?: boolean;
  readonly unconditional?: boolean;
  readonly fields?: readonly string[];
}

const kind =
  (namespaced: boolean) =>
  (groupVersion: string, plural: string, kind: string, traits: Traits = {}): Resource => {
    const [group = "", version = ""] = groupVersion.includes("/") ? groupVersion.split("/") : ["", groupVersion];
    return {
      group,
      version,
      plural,
      singular: kind.toLowerCase(),
      kind,
      namespaced,
      shortNames: traits.short ?? [],
      categories: traits.all === true ? ["all"] : [],
      status: traits.status ?? false,
      generation: traits.generation ?? false,
      unconditional: traits.unconditional ?? true,
      fields: traits.fields ?? [],
    };
  };
const inNamespaces = kind(true);
const ofCluster = kind(false);

const INVOLVED = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
const EVENT_FIELDS = [
  ...INVOLVED.map((field) => `involvedObject.${field}`),
  "reason",
  "reportingComponent",
  "source",
  "type",
];
const POD_FIELDS = [
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "spec.hostNetwork",
  "status.phase",
  "status.podIP",
  "status.nominatedNodeName",
];
const WORKLOAD = { all: true, status: true, generation: true };

export const NODES = ofCluster("v1", "nodes", "Node", { short: ["no"], status: true, fields: ["spec.unschedulable"] });
export const NAMESPACES = ofCluster("v1", "namespaces", "Namespace", {
  short: ["ns"],
  status: true,
  fields: ["status.phase"],
});
export const PODS = inNamespaces("v1", "pods", "Pod", { short: ["po"], all: true, status: true, fields: POD_FIELDS });
export const SERVICES = inNamespaces("v1", "services", "Service", {
  short: ["svc"],
  all: true,
  status: true,
  fields: ["spec.clusterIP", "spec.type"],
});
export const SECRETS = inNamespaces("v1", "secrets", "Secret", { fields: ["type"] });
export const SERVICE_ACCOUNTS = inNamespaces("v1", "serviceaccounts", "ServiceAccount", { short: ["sa"] });
export const ENDPOINT_SLICES = inNamespaces("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", {
  generation: true,
});
export const LEASES = inNamespaces("coordination.k8s.io/v1", "leases", "Lease", { unconditional: false });
export const DEFINITIONS = ofCluster(
  "apiextensions.k8s.io/v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  {
    short: ["crd", "crds"],
    status: true,
    generation: true,
    unconditional: false,
  },
);

const RBAC = "rbac.authorization.k8s.io/v1";
export const ROLES = inNamespaces(RBAC, "roles", "Role");
export const ROLE_BINDINGS = inNamespaces(RBAC, "rolebindings", "RoleBinding");
export const CLUSTER_ROLES = ofCluster(RBAC, "clusterroles", "ClusterRole");
export const CLUSTER_ROLE_BINDINGS = ofCluster(RBAC, "clusterrolebindings", "ClusterRoleBinding");

export const BUILT_IN: readonly Resource[] = [
  inNamespaces("v1", "configmaps", "ConfigMap", { short: ["cm"] }),
  inNamespaces("v1", "endpoints", "Endpoints", { short: ["ep"] }),
  inNamespaces("v1", "events", "Event", { short: ["ev"], fields: EVENT_FIELDS }),
  NAMESPACES,
  NODES,
  inNamespaces("v1", "persistentvolumeclaims", "PersistentVolumeClaim", { short: ["pvc"], status: true }),
  PODS,
  inNamespaces("v1", "replicationcontrollers", "ReplicationController", { short: ["rc"], ...WORKLOAD }),
  inNamespaces("v1", "resourcequotas", "ResourceQuota", { short: ["quota"], status: true }),
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  inNamespaces("apps/v1", "daemonsets", "DaemonSet", { short: ["ds"], ...WORKLOAD }),
  inNamespaces("apps/v1", "deployments", "Deployment", { short: ["deploy"], ...WORKLOAD }),
  inNamespaces("apps/v1", "replicasets", "ReplicaSet", { short: ["rs"], ...WORKLOAD }),
  inNamespaces("apps/v1", "statefulsets", "StatefulSet", { short: ["sts"], ...WORKLOAD }),
  inNamespaces("apps/v1", "controllerrevisions", "ControllerRevision"),
  inNamespaces("batch/v1", "jobs", "Job", WORKLOAD),
  inNamespaces("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", { short: ["netpol"], generation: true }),
  inNamespaces("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
    short: ["pdb"],
    status: true,
    generation: true,
  }),
  ofCluster("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", { short: ["pc"], generation: true }),
  ofCluster("apiregistration.k8s.io/v1", "apiservices", "APIService", { status: true, unconditional: false }),
  ENDPOINT_SLICES,
  LEASES,
  ROLES,
  ROLE_BINDINGS,
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  DEFINITIONS,
];
