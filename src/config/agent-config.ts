/**
 * How the agent on this machine is configured: flags win over the environment, that over the file, that over defaults.
 *
 * All faults are found at once, and each names where the value came from: a flag, a variable, or a line of the file.
 */
import { type Address, addressOf } from "../../ipam/net/address.ts";
import { parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { AGENT_CONFIG_FILE, AGENT_DEFAULTS, SETTINGS, type Setting } from "./agent-settings.ts";
import { type DetectionMethod, readDetectionMethod } from "./detection-method.ts";
import { parseDuration } from "./duration.ts";
import { type Fault, faultText } from "./fault.ts";
import { readPeerAddress } from "./peer-address.ts";
import { type AgentSettings, agentSettingsSchema } from "./schema/agent.ts";
import { problemsOf } from "./schema/issues.ts";
import { type FieldPath, pathText, shown } from "./schema/problem.ts";
import { readYaml } from "./yaml.ts";

export interface AgentConfig {
  readonly nodeName: string;
  /** Path of the unix socket of the API and the CNI plugin. */
  readonly socket: string;
  readonly stateDir: string;
  /** Undefined: "off". */
  readonly http?: { readonly host: string; readonly port: number };
  readonly etcd: EtcdConfig;
  /** Undefined: this is no Kubernetes cluster, or nothing is to be asked of it. */
  readonly kubernetes?: KubernetesConfig;
  /** Labels for this node's Node resource. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ipv4Address: AddressSource;
  readonly ipv6Address: AddressSource;
  readonly asNumber?: number;
  /** "hash": made of the node's name. Undefined: the IPv4 address. */
  readonly routerID?: Address | "hash";
  readonly reclaim: { readonly graceMs: number; readonly intervalMs: number; readonly blockIdleMs: number };
  /** Undefined: somebody else writes the network list. */
  readonly cni?: CniConfig;
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error";
    /** Somebody said so here: resources (logSeverityScreen) then do not change it. */
    readonly levelGiven: boolean;
    readonly file?: string;
  };
}

/** Where a node's own address comes from. */
export type AddressSource =
  /** Without a length: that of the interface that has it. */
  | { readonly kind: "given"; readonly address: Address; readonly length?: number }
  | { readonly kind: "none" }
  | { readonly kind: "detected"; readonly method: DetectionMethod };

/** Named as openEtcdStore takes them. */
export interface EtcdConfig {
  readonly endpoints: readonly string[];
  readonly caCertFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly username?: string;
  readonly password?: string;
}

/** Where the container runtime of the host finds its network. */
export interface CniConfig {
  readonly confDir: string;
  readonly binDir: string;
  /** Path; undefined: the usual list. */
  readonly template?: string;
}

export interface KubernetesConfig {
  /** Undefined: by the service account of the pod that this runs in. */
  readonly kubeconfig?: string;
  /** Of Overland's own objects. Undefined: the service account's, else overland-system. */
  readonly namespace?: string;
}

export interface ConfigSources {
  /** By the setting's path, `{"etcd.endpoints": "http://10.1.1.1:2379", nodeName: "a"}`; not given: absent. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of the configuration file; undefined when there is none. */
  readonly file?: { readonly name: string; readonly text: string };
  /** Name of the machine: the node's name when nothing else is said. */
  readonly hostname: string;
}

export type ConfigResult<T> = { readonly config: T } | { readonly faults: readonly string[] };

export function readAgentConfig(sources: ConfigSources): ConfigResult<AgentConfig> {
  const gathered = gather(sources);
  if (gathered.faults.length > 0) return { faults: gathered.faults };
  const { values } = gathered;
  const nodeName = values.nodeName ?? sources.hostname.toLowerCase();
  const faults = [...etcdFaults(values), ...(values.nodeName === undefined ? hostnameFaults(nodeName) : [])];
  if (faults.length > 0) return { faults };
  const http = httpOf(values.http ?? AGENT_DEFAULTS.http);
  const cni = cniOf(values);
  const kubernetes = kubernetesOf(values, sources.env);
  const config: AgentConfig = {
    nodeName,
    socket: values.socket ?? AGENT_DEFAULTS.socket,
    stateDir: values.stateDir ?? AGENT_DEFAULTS.stateDir,
    ...(http !== undefined && { http }),
    etcd: values.etcd as EtcdConfig,
    ...(kubernetes !== undefined && { kubernetes }),
    labels: values.labels ?? {},
    ipv4Address: addressSource(values.ipv4Address, values.ipv4AutodetectionMethod),
    ipv6Address: addressSource(values.ipv6Address, values.ipv6AutodetectionMethod),
    ...(values.asNumber !== undefined && { asNumber: values.asNumber }),
    ...(values.routerID !== undefined && {
      routerID: values.routerID === "hash" ? ("hash" as const) : addressOf(values.routerID),
    }),
    reclaim: {
      graceMs: parseDuration(values.reclaim?.grace ?? AGENT_DEFAULTS.reclaimGrace) as number,
      intervalMs: parseDuration(values.reclaim?.interval ?? AGENT_DEFAULTS.reclaimInterval) as number,
      blockIdleMs: parseDuration(values.reclaim?.blockIdle ?? AGENT_DEFAULTS.blockIdle) as number,
    },
    ...(cni !== undefined && { cni }),
    log: {
      level: values.log?.level ?? AGENT_DEFAULTS.logLevel,
      levelGiven: values.log?.level !== undefined,
      ...(values.log?.file !== undefined && { file: values.log.file }),
    },
  };
  return { config };
}

/** Only where etcd, the API server and the agent's socket are: what an operator's commands need. */
export function readClientConfig(sources: Omit<ConfigSources, "hostname">): ConfigResult<{
  readonly etcd: EtcdConfig | undefined;
  readonly kubernetes: KubernetesConfig | undefined;
  readonly socket: string;
}> {
  const gathered = gather(sources);
  if (gathered.faults.length > 0) return { faults: gathered.faults };
  const { etcd, socket } = gathered.values;
  const known = etcd?.endpoints === undefined ? undefined : (etcd as EtcdConfig);
  const kubernetes = kubernetesOf(gathered.values, sources.env);
  return { config: { etcd: known, kubernetes, socket: socket ?? AGENT_DEFAULTS.socket } };
}

interface Gathered {
  readonly values: AgentSettings;
  readonly faults: string[];
}

function gather(sources: Omit<ConfigSources, "hostname">): Gathered {
  const raw: Record<string, unknown> = {};
  const place = new Map<string, (path: FieldPath, message: string) => string>();
  const faults: string[] = [];
  const file = readFile(sources.file, faults);
  for (const [key, value] of Object.entries(file.values)) raw[key] = structuredClone(value);
  for (const setting of SETTINGS) {
    const given = givenOutside(setting, sources);
    if (given === undefined) continue;
    const value = setting.read(given.text);
    place.set(setting.path, (_, message) => `${given.source}: ${message}`);
    setAt(raw, setting.path, value);
  }
  const result = agentSettingsSchema.safeParse(raw);
  if (!result.success) {
    for (const problem of problemsOf(result.error, agentSettingsSchema, raw, [])) {
      const name = pathText(problem.path);
      const outside = [...place].find(
        ([path]) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[`),
      );
      faults.push((outside?.[1] ?? file.fault)(problem.path, problem.message));
    }
  }
  return { values: result.success ? result.data : {}, faults };
}

function readFile(file: ConfigSources["file"], faults: string[]) {
  const name = file?.name ?? "configuration";
  const { documents, faults: syntax } = readYaml(file?.text ?? "");
  const written = documents.filter((document) => document.value !== undefined);
  const [first, second] = written;
  const say = (line: number, field: string, message: string) =>
    faults.push(faultText({ file: name, line, field, message }));
  for (const fault of syntax) say(fault.line, "", fault.message);
  if (second !== undefined) say(second.line, "", "holds a second document; one is expected");
  const value = first?.value ?? {};
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMap) say(first?.line ?? 0, "", `expected settings (a map), found ${shown(value)}`);
  const fault = (path: FieldPath, message: string) => {
    const at: Fault = { file: name, line: first?.lineOf(path) ?? 0, field: pathText(path), message };
    return faultText(at);
  };
  return { values: isMap ? withoutNulls(value as Record<string, unknown>) : {}, fault };
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}

function givenOutside(setting: Setting, sources: Omit<ConfigSources, "hostname">) {
  const flag = sources.flags[setting.path];
  if (flag !== undefined) return { text: flag, source: `--${setting.flag}` };
  for (const variable of setting.env) {
    const text = sources.env[variable];
    if (text !== undefined && text !== "") return { text, source: `$${variable}` };
  }
  return undefined;
}

function setAt(raw: Record<string, unknown>, path: string, value: unknown): void {
  const [head, tail] = path.split(".") as [string, string | undefined];
  if (tail === undefined) {
    raw[head] = value;
    return;
  }
  const inner = raw[head];
  const isMap = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  raw[head] = { ...(isMap ? inner : {}), [tail]: value };
}

function etcdFaults(values: AgentSettings): string[] {
  if (values.etcd?.endpoints !== undefined) return [];
  return [
    `no etcd endpoint is known: give --etcd-endpoints, $ETCD_ENDPOINTS, or etcd.endpoints in ${AGENT_CONFIG_FILE}`,
  ];
}

/** Every pod is told where its cluster's API server is, by KUBERNETES_SERVICE_HOST. */
function kubernetesOf({ kubernetes = {} }: AgentSettings, env: ConfigSources["env"]): KubernetesConfig | undefined {
  const { kubeconfig } = kubernetes;
  const isPod = (env["KUBERNETES_SERVICE_HOST"] ?? "") !== "";
  return kubeconfig === "off" || (kubeconfig === undefined && !isPod) ? undefined : kubernetes;
}

function hostnameFaults(name: string): string[] {
  if (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) return [];
  return [`the machine's name ${shown(name)} cannot be a node's name; give --node-name or $NODENAME`];
}

/** `127.0.0.1:9180`, `[::]:9180`; undefined: it is none. */
export function listenAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  return readPeerAddress(text)?.port === undefined ? undefined : httpOf(text);
}

function cniOf({ cni }: AgentSettings): CniConfig | undefined {
  if (cni?.confDir === undefined) return undefined;
  const { confDir, binDir = AGENT_DEFAULTS.cniBinDir, template } = cni;
  return { confDir, binDir, ...(template !== undefined && { template }) };
}

function addressSource(text = "autodetect", method = "first-found"): AddressSource {
  if (text === "none") return { kind: "none" };
  if (text !== "autodetect") {
    return { kind: "given", ...(parseAddressWithLength(text) ?? { address: addressOf(text) }) };
  }
  return { kind: "detected", method: readDetectionMethod(method) as DetectionMethod };
}

function httpOf(text: string): { host: string; port: number } | undefined {
  if (text === "off") return undefined;
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}
