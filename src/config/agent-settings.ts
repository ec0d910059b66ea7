/**
 * Every setting of the agent: its place in the file, its flag and its variables. What each may be is in
 * schema/agent.ts: this file alone is read when a command only prints its help.
 */

export const AGENT_CONFIG_FILE = "/etc/overland/agent.yaml";

export const AGENT_DEFAULTS = {
  socket: "/run/overland/agent.sock",
  stateDir: "/var/lib/overland",
  http: "127.0.0.1:9179",
  logLevel: "info",
  reclaimGrace: "60s",
  reclaimInterval: "3m",
  blockIdle: "5m",
  cniBinDir: "/opt/cni/bin",
} as const;

/** Where the controller serves health and metrics when nothing else is said. */
export const CONTROLLER_HTTP = "127.0.0.1:9180";

export interface Setting {
  /** In the file: `etcd.endpoints`. */
  readonly path: string;
  /** Without the dashes. */
  readonly flag: string;
  /** What the flag's value is called in the help. */
  readonly value: string;
  readonly help: string;
  /** The first that is set and not empty counts. */
  readonly env: readonly string[];
  /** A flag's or a variable's text as the file would have it; what cannot be read the schema refuses. */
  read(text: string): unknown;
}

const asIs = (text: string): unknown => text;
const list = (text: string): unknown => text.split(",").map((part) => part.trim());
const number = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : text);

export const ETCD_SETTINGS: readonly Setting[] = [
  {
    path: "etcd.endpoints",
    flag: "etcd-endpoints",
    value: "URL,...",
    help: "where etcd is",
    env: ["OVERLAND_ETCD_ENDPOINTS", "ETCD_ENDPOINTS"],
    read: list,
  },
  etcd("caCertFile", "etcd-ca-cert-file", "FILE", "certificates that etcd's own is checked against", "CA_CERT_FILE"),
  etcd("certFile", "etcd-cert-file", "FILE", "certificate shown to etcd", "CERT_FILE"),
  etcd("keyFile", "etcd-key-file", "FILE", "key of that certificate", "KEY_FILE"),
  etcd("username", "etcd-username", "NAME", "user known to etcd", "USERNAME"),
  etcd("password", "etcd-password", "PASSWORD", "its password; the variable is safer", "PASSWORD"),
];

export const KUBERNETES_SETTINGS: readonly Setting[] = [
  own("kubernetes.kubeconfig", "kubeconfig", "FILE", 'how to reach the API server instead of as a pod, or "off"'),
  {
    ...own("kubernetes.namespace", "kubernetes-namespace", "NAME", "namespace of Overland's own objects"),
    env: ["OVERLAND_KUBERNETES_NAMESPACE", "POD_NAMESPACE"],
  },
];

export const SOCKET_SETTING: Setting = own("socket", "socket", "PATH", "unix socket of the agent");

export const SETTINGS: readonly Setting[] = [
  { ...own("nodeName", "node-name", "NAME", "name of this node"), env: ["OVERLAND_NODE_NAME", "NODENAME"] },
  SOCKET_SETTING,
  own("stateDir", "state-dir", "DIR", "where the agent keeps its state"),
  own("http", "http", "ADDRESS:PORT", 'where health and metrics are served, or "off"'),
  ...ETCD_SETTINGS,
  ...KUBERNETES_SETTINGS,
  own("labels", "labels", "KEY=VALUE,...", "labels of this node", labels),
  calico("ipv4Address", "ipv4-address", "ADDRESS", 'IPv4 address of this node, "autodetect" or "none"', "IP"),
  calico("ipv6Address", "ipv6-address", "ADDRESS", 'IPv6 address of this node, "autodetect" or "none"', "IP6"),
  calico(
    "ipv4AutodetectionMethod",
    "ipv4-autodetection-method",
    "METHOD",
    "first-found, can-reach=, interface=, skip-interface=, cidr= or kubernetes-internal-ip: how IPv4 is detected",
    "IP_AUTODETECTION_METHOD",
  ),
  calico(
    "ipv6AutodetectionMethod",
    "ipv6-autodetection-method",
    "METHOD",
    "the same for the IPv6 address",
    "IP6_AUTODETECTION_METHOD",
  ),
  calico("asNumber", "as-number", "AS", "AS of this node", "AS", number),
  calico("routerID", "router-id", "ID", 'router ID of this node, or "hash": made of its name', "CALICO_ROUTER_ID"),
  own("reclaim.grace", "reclaim-grace", "DURATION", "between the two looks that make a leak certain"),
  own("reclaim.interval", "reclaim-interval", "DURATION", "between comparisons of what is held with what is there"),
  own("reclaim.blockIdle", "block-idle", "DURATION", "after this long an empty block goes back to its pool"),
  own("cni.confDir", "cni-conf-dir", "DIR", "where the network list is written once pods can be wired"),
  own("cni.binDir", "cni-bin-dir", "DIR", "which plugins of that list this node has"),
  own("cni.template", "cni-template", "FILE", "the network list, if not the usual one"),
  own("log.level", "log-level", "LEVEL", "debug, info, warn or error"),
  own("log.file", "log-file", "FILE", "where to log instead of stderr"),
];

function own(path: string, flag: string, value: string, help: string, read = asIs): Setting {
  return { path, flag, value, help, env: [`OVERLAND_${flag.toUpperCase().replaceAll("-", "_")}`], read };
}

/** One that Calico has too, by the variable it has there. */
function calico(path: string, flag: string, value: string, help: string, variable: string, read = asIs): Setting {
  const setting = own(path, flag, value, help, read);
  return { ...setting, env: [...setting.env, variable] };
}

function etcd(field: string, flag: string, value: string, help: string, variable: string): Setting {
  return {
    path: `etcd.${field}`,
    flag,
    value,
    help,
    env: [`OVERLAND_ETCD_${variable}`, `ETCD_${variable}`],
    read: asIs,
  };
}

function labels(text: string): unknown {
  const pairs = text.split(",").map((part) => part.trim());
  if (!pairs.every((pair) => pair.includes("="))) return text;
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}
