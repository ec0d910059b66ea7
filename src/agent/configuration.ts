/**
 * What holds for this node, as the resources say: read once, then followed. The last known goes on while etcd is away.
 */
import type { Family } from "../../ipam/net/address.ts";
import type { AddressWithLength } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { Rules } from "../../ipam/rules.ts";
import type { Store } from "../../ipam/store.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { rulesOf } from "../config/ipam-rules.ts";
import { differs, type NodeFacts } from "../config/node-registration.ts";
import { poolOf } from "../config/pools.ts";
import { type NodeConfig, resolveNode } from "../config/resolve.ts";
import { type ResourceView, watchResources } from "../config/resource-watch.ts";
import type { Link } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import { AddressDetection, type DetectionPorts } from "./address-detection.ts";
import { isPodInterface } from "./node-address.ts";
import { annotated, type KubernetesNodeView, kubernetesFacts } from "./node-object.ts";
import { Registration } from "./registration.ts";

export interface Configured {
  readonly node: NodeConfig;
  readonly pools: readonly Pool[];
  readonly rules: Rules;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ConfigurationOptions {
  readonly config: AgentConfig;
  readonly store: Store;
  readonly log: Log;
  /** Where the node's own addresses are looked for. */
  readonly ports: Omit<DetectionPorts, "internalAddresses">;
  readonly changed: (configured: Configured) => void;
}

export class Configuration {
  readonly #config: AgentConfig;
  readonly #addresses: AddressDetection;
  readonly #registration: Registration;
  readonly #ports: ConfigurationOptions["ports"];
  readonly #store: Store;
  readonly #log: Log;
  readonly #changed: (configured: Configured) => void;
  #view: ResourceView | undefined;
  #stopWatch: (() => void) | undefined;
  #stopped = false;
  #problemsLogged = "";
  #kubernetes: KubernetesNodeView | "absent" | undefined;
  current: Configured | undefined;

  constructor({ config, store, log, ports, changed }: ConfigurationOptions) {
    this.#config = config;
    this.#store = store;
    this.#log = log;
    this.#changed = changed;
    this.#ports = ports;
    this.#registration = new Registration({ ...config, store, log, facts: () => this.#facts() });
    const again = () => void this.#registration.again("the addresses of this node changed; registering them");
    const internalAddresses = () => this.#internalAddresses();
    this.#addresses = new AddressDetection({ ...config, ports: { ...ports, internalAddresses }, log, changed: again });
  }

  get notReady(): string[] {
    if (this.#registration.problem !== undefined) return [this.#registration.problem];
    if (this.current === undefined) return ["the resources are not read yet"];
    const { ipv4, ipv6 } = this.current.node;
    return ipv4 === undefined && ipv6 === undefined
      ? ["this node has no address: give the agent ipv4Address or ipv6Address"]
      : [];
  }

  /** What is wrong with the configuration, in words; the rest of it is in force all the same. */
  get problems(): readonly string[] {
    const away = this.#view?.synced === false ? ["etcd does not answer: going on with what was last read"] : [];
    const kubernetes = this.#kubernetes === "absent" ? [`Kubernetes has no Node ${this.#config.nodeName}`] : [];
    const annotations = typeof this.#kubernetes === "object" ? this.#kubernetes.settings.problems : [];
    const resources = [...(this.#view?.problems ?? []), ...(this.current?.node.problems ?? [])];
    return [...away, ...this.#addresses.problems, ...kubernetes, ...annotations, ...resources];
  }

  /** What Kubernetes says of this node. Without it, and while it cannot be asked, what is registered stays. */
  setKubernetesNode(node: KubernetesNodeView | "absent"): void {
    this.#kubernetes = node;
    this.#addresses.lookSoon();
    if (node === "absent" || this.#view === undefined) return;
    const own = this.#view.snapshot.nodes.find(({ metadata }) => metadata.name === this.#config.nodeName);
    if (own === undefined || differs(own, this.#facts())) {
      void this.#registration.again("the Kubernetes Node changed; registering what it says");
    }
  }

  /** Registers the node, however long that takes, then follows the resources. */
  async start(): Promise<void> {
    await this.#addresses.start();
    await this.#registration.start();
    if (this.#stopped) return;
    this.#stopWatch = watchResources(this.#store, {
      changed: (view) => this.#take(view),
      trouble: (reason) => this.#log.warn("etcd does not answer; going on with what is known", { reason }),
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#addresses.stop();
    this.#registration.stop();
    this.#stopWatch?.();
  }

  #facts(): NodeFacts {
    const { nodeName, labels, asNumber } = this.#config;
    const node = typeof this.#kubernetes === "object" ? this.#kubernetes : undefined;
    const ipv4Address = this.#addressOf(4, node?.settings.ipv4Address);
    const ipv6Address = this.#addressOf(6, node?.settings.ipv6Address);
    return {
      nodeName,
      labels,
      ...(asNumber === undefined ? {} : { asNumber }),
      ...(ipv4Address === undefined ? {} : { ipv4Address }),
      ...(ipv6Address === undefined ? {} : { ipv6Address }),
      ...(node === undefined ? {} : { kubernetes: kubernetesFacts(node) }),
    };
  }

  /** What the agent's configuration gives wins, then the annotation, then what is found on the links. */
  #addressOf(family: Family, annotation: string | undefined): AddressWithLength | undefined {
    const { kind } = family === 4 ? this.#config.ipv4Address : this.#config.ipv6Address;
    const said = kind === "detected" ? annotated(annotation, this.#ports.links()) : undefined;
    return said ?? this.#addresses.of(family);
  }

  #internalAddresses(): readonly string[] {
    if (this.#config.kubernetes === undefined) throw new Error("this agent has no access to Kubernetes");
    if (this.#kubernetes === undefined) throw new Error("the Kubernetes Node is not read yet");
    if (this.#kubernetes === "absent") throw new Error(`Kubernetes has no Node ${this.#config.nodeName}`);
    return this.#kubernetes.internalAddresses;
  }

  #take(view: ResourceView): void {
    this.#view = view;
    const { nodeName, routerID } = this.#config;
    const node = resolveNode(view.snapshot, nodeName, routerID);
    const own = view.snapshot.nodes.find(({ metadata }) => metadata.name === nodeName);
    const { pools, ipamConfigurations, ipReservations } = view.snapshot;
    this.current = {
      node,
      pools: pools.map(poolOf),
      rules: rulesOf(ipamConfigurations[0], ipReservations),
      labels: own?.metadata.labels ?? {},
    };
    // A level given to this agent itself wins over the cluster's logSeverityScreen.
    if (!this.#config.log.levelGiven) this.#log.setLevel(node.logLevel ?? this.#config.log.level);
    // Whose Kubernetes Node is deleted goes away itself: somebody takes back what it holds.
    const leaves = own === undefined && this.#kubernetes === "absent";
    if (!leaves && (own === undefined || differs(own, this.#facts()))) {
      void this.#registration.again("the Node resource lacks what this agent registered; writing it again", true);
    }
    const problems = this.problems.join("\n");
    if (problems !== this.#problemsLogged) for (const problem of this.problems) this.#log.warn(problem);
    this.#problemsLogged = problems;
    this.#changed(this.current);
  }
}

/**
 * MTU of the link that has the node's address; 1500 where none has. Where the address is on lo, as in fabrics without
 * addresses on the links, it is the least of the links that packets can leave by.
 */
export function uplinkMtu(links: readonly Link[], addresses: readonly AddressWithLength[]): number {
  const texts = addresses.map(({ address }) => address.join("."));
  const uplink = links.find((link) => link.addresses.some(({ address }) => texts.includes(address.join("."))));
  if (uplink === undefined) return 1500;
  if (uplink.name !== "lo") return uplink.mtu;
  const ways = links.filter(({ name, carrier }) => name !== "lo" && carrier && !isPodInterface(name));
  return ways.length === 0 ? 1500 : Math.min(...ways.map(({ mtu }) => mtu));
}
