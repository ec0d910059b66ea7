/**
 * The node's own pods that speak BGP to it: those wired here that a BGPPeer chooses by localWorkloadSelector. A session
 * comes with the pod and goes with it.
 *
 * Labels come from Kubernetes alone. What was chosen is written down beside the socket: an agent that starts again
 * while the API server is away goes on with it until the API server says something.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { hostPrefix } from "../../ipam/net/prefix.ts";
import type { Attachment } from "../cni/attachments.ts";
import type { LocalPeerings } from "../config/local-peerings.ts";
import { type LocalPod, resolveLocalPeers, selectorLabels } from "../config/local-peers.ts";
import type { NodeConfig } from "../config/resolve.ts";
import type { Link } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import type { KubernetesPods } from "./kubernetes-pods.ts";

type Labels = Readonly<Record<string, string>>;
/** By container and interface. */
type Remembered = Readonly<Record<string, Labels>>;

export interface LocalWorkloadsOptions {
  /** Undefined: this agent has no Kubernetes. */
  readonly kubernetesPods: Pick<KubernetesPods, "isRead" | "ownPod" | "namespaceLabels" | "pods"> | undefined;
  readonly attachments: () => readonly Attachment[];
  readonly links: () => readonly Pick<Link, "name" | "index">[];
  /** Where labels are kept over a restart. */
  readonly file: string;
  readonly log: Pick<Log, "warn">;
  /** Other pods than before are to have sessions. */
  readonly changed: () => void;
}

export class LocalWorkloads {
  readonly #options: LocalWorkloadsOptions;
  #asked: NodeConfig | undefined;
  #node: NodeConfig | undefined;
  #remembered: Remembered;
  #ways: readonly UnderlayRoute[] = [];
  #problems: readonly string[] = [];
  #told = "";
  #planned = false;
  #listed: { readonly for: string; readonly indices: ReadonlyMap<string, number> } = { for: "", indices: new Map() };

  constructor(options: LocalWorkloadsOptions) {
    this.#options = options;
    this.#remembered = readRemembered(options.file);
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** As {@link of} answered last. */
  get node(): NodeConfig | undefined {
    return this.#node;
  }

  /** Where the pods with sessions are: their routes lead there. */
  get ways(): readonly UnderlayRoute[] {
    return this.#ways;
  }

  /** The node with the sessions that its pods ask for beside the others. */
  of(node: NodeConfig): NodeConfig {
    this.#asked = node;
    const { local } = node;
    if (local === undefined) return this.#take(node, [], [], []);
    const { kubernetesPods } = this.#options;
    if (kubernetesPods === undefined) {
      const why = "localWorkloadSelector chooses pods by labels, and this agent knows no Kubernetes; set kubernetes.*";
      return this.#take(
        node,
        [],
        [],
        local.peerings.map(({ name }) => `BGPPeer ${name}: ${why}`),
      );
    }
    const chosen = this.#options.attachments().filter((attachment) => {
      const labels = this.#labelsOf(attachment);
      return labels !== undefined && local.peerings.some((one) => one.chooses(labels));
    });
    this.#remember(chosen);
    const indices = this.#interfacesOf(chosen);
    const wired = chosen.filter(({ hostInterface }) => indices.has(hostInterface));
    const pods = wired.flatMap((attachment) => this.#podOf(attachment) ?? []);
    const { peers, problems } = resolveLocalPeers(local, pods, node.peers);
    const interfaces = new Map(
      wired.flatMap(({ addresses, hostInterface }) =>
        addresses.map((address) => [formatAddress(address), indices.get(hostInterface) as number] as const),
      ),
    );
    const ways = peers.map(({ address }) => {
      const interfaceIndex = interfaces.get(formatAddress(address)) as number;
      return { prefix: hostPrefix(address), via: [{ interfaceIndex }], metric: 0 };
    });
    return this.#take(node, peers, ways, [...problems, ...this.#notWired(local)]);
  }

  /** Pods, their labels or those of namespaces may be other ones: asked once for all that come in one go. */
  look(): void {
    if (this.#planned || this.#asked?.local === undefined) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      const before = this.#told;
      if (this.#asked !== undefined) this.of(this.#asked);
      if (this.#told !== before) this.#options.changed();
    });
  }

  #take(
    node: NodeConfig,
    peers: NodeConfig["peers"],
    ways: readonly UnderlayRoute[],
    problems: readonly string[],
  ): NodeConfig {
    for (const problem of problems) if (!this.#problems.includes(problem)) this.#options.log.warn(problem);
    this.#problems = problems;
    this.#ways = ways;
    const sessions = peers.map(({ name, address }, i) => [
      name,
      formatAddress(address),
      ways[i]?.via[0]?.interfaceIndex,
    ]);
    this.#told = JSON.stringify(sessions);
    this.#node = peers.length === 0 ? node : { ...node, peers: [...node.peers, ...peers] };
    return this.#node;
  }

  /** Listed when others are chosen than before: most pods that come and go are not. */
  #interfacesOf(chosen: readonly Attachment[]): ReadonlyMap<string, number> {
    const text = chosen.map((one) => `${keyOf(one)} ${one.podMac}`).join("\n");
    if (text === this.#listed.for) return this.#listed.indices;
    const indices = new Map(this.#options.links().map(({ name, index }) => [name, index]));
    // A link that is not there yet, or no more, is looked for again.
    this.#listed = { for: chosen.every(({ hostInterface }) => indices.has(hostInterface)) ? text : "", indices };
    return indices;
  }

  #podOf(attachment: Attachment): LocalPod | undefined {
    const { namespace, pod: name, ifName, addresses } = attachment;
    const labels = this.#labelsOf(attachment);
    return labels && { namespace, name, ifName, addresses, labels };
  }

  #labelsOf(attachment: Attachment): Labels | undefined {
    const { kubernetesPods } = this.#options;
    if (kubernetesPods?.isRead !== true) return this.#remembered[keyOf(attachment)];
    const { namespace, pod, uid = "" } = attachment;
    const known = kubernetesPods.ownPod(namespace, pod, uid);
    return known && selectorLabels(namespace, known.labels, kubernetesPods.namespaceLabels(namespace));
  }

  /** Chosen pods that have nothing of ours to peer over. */
  #notWired({ peerings }: LocalPeerings): string[] {
    const { kubernetesPods } = this.#options;
    return [...(kubernetesPods?.pods.values() ?? [])].flatMap(({ hostNetwork, namespace, name, labels }) => {
      if (!hostNetwork || kubernetesPods === undefined) return [];
      const seen = selectorLabels(namespace, labels, kubernetesPods.namespaceLabels(namespace));
      const peering = peerings.find((one) => one.chooses(seen));
      const why = "has the node's addresses and none of its own; give it an own network, or choose it by peerIP";
      return peering === undefined ? [] : [`BGPPeer ${peering.name}: pod ${namespace}/${name} ${why}`];
    });
  }

  #remember(chosen: readonly Attachment[]): void {
    if (this.#options.kubernetesPods?.isRead !== true) return;
    const remembered = Object.fromEntries(chosen.map((one) => [keyOf(one), this.#labelsOf(one) ?? {}]));
    if (JSON.stringify(remembered) === JSON.stringify(this.#remembered)) return;
    this.#remembered = remembered;
    try {
      writeFileSync(this.#options.file, JSON.stringify(remembered), { mode: 0o600 });
    } catch (error) {
      this.#options.log.warn("pods that peer with this node cannot be remembered for a restart", { error });
    }
  }
}

function keyOf({ containerID, ifName }: Attachment): string {
  return `${containerID}/${ifName}`;
}

/** Nothing where there is no such file, or none that can be read. */
function readRemembered(file: string): Remembered {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as unknown;
    const isMap = (one: unknown) => typeof one === "object" && one !== null && !Array.isArray(one);
    return isMap(value) && Object.values(value as object).every(isMap) ? (value as Remembered) : {};
  } catch {
    return {};
  }
}
