/**
 * What holds for this node, as the resources say: read once, then followed. The last known goes on while etcd is away.
 */
import type { AddressWithLength } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { Rules } from "../../ipam/rules.ts";
import type { Store } from "../../ipam/store.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { rulesOf } from "../config/ipam-rules.ts";
import { differs, type NodeFacts, registerNode } from "../config/node-registration.ts";
import { poolOf } from "../config/pools.ts";
import { type NodeConfig, resolveNode } from "../config/resolve.ts";
import { type ResourceView, watchResources } from "../config/resource-watch.ts";
import { type Link, listLinks } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import { firstFound, isPodInterface } from "./node-address.ts";
import { annotated, type KubernetesNodeView, kubernetesFacts } from "./node-object.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
/** Between two times that a Node resource which somebody changed is put right. */
const AGAIN_MS = 5_000;

export interface Configured {
  readonly node: NodeConfig;
  readonly pools: readonly Pool[];
  readonly rules: Rules;
  readonly labels: Readonly<Record<string, string>>;
}

export class Configuration {
  readonly #config: AgentConfig;
  readonly #store: Store;
  readonly #log: Log;
  readonly #changed: (configured: Configured) => void;
  #view: ResourceView | undefined;
  #registrationProblem: string | undefined = "the node is not registered yet";
  #stopWatch: (() => void) | undefined;
  #stopped = false;
  #problemsLogged = "";
  #registering = false;
  #registeredAt = Number.NEGATIVE_INFINITY;
  #kubernetes: KubernetesNodeView | "absent" | undefined;
  #registerAfter = false;
  current: Configured | undefined;

  constructor(config: AgentConfig, store: Store, log: Log, changed: (configured: Configured) => void) {
    this.#config = config;
    this.#store = store;
    this.#log = log;
    this.#changed = changed;
  }

  get notReady(): string[] {
    if (this.#registrationProblem !== undefined) return [this.#registrationProblem];
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
    return [...away, ...kubernetes, ...annotations, ...resources];
  }

  /** What Kubernetes says of this node. Without it, and while it cannot be asked, what is registered stays. */
  setKubernetesNode(node: KubernetesNodeView | "absent"): void {
    this.#kubernetes = node;
    const own = this.#view?.snapshot.nodes.find(({ metadata }) => metadata.name === this.#config.nodeName);
    if (own !== undefined && differs(own, this.#facts())) void this.#registerChange();
  }

  /** Registers the node, however long that takes, then follows the resources. */
  async start(): Promise<void> {
    for (let wait = FIRST_RETRY_MS; !this.#stopped; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      if (await this.#register()) break;
      await new Promise((resolve) => setTimeout(resolve, wait).unref());
    }
    if (this.#stopped) return;
    this.#stopWatch = watchResources(this.#store, {
      changed: (view) => this.#take(view),
      trouble: (reason) => this.#log.warn("etcd does not answer; going on with what is known", { reason }),
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#stopWatch?.();
  }

  /** Somebody replaced or deleted the Node resource: what this agent knows goes back into it. */
  async #registerAgain(): Promise<void> {
    if (this.#registering || this.#stopped) return;
    this.#registering = true;
    this.#log.warn("the Node resource lacks what this agent registered; writing it again");
    // Two agents of one name would write it in turn as fast as etcd allows.
    const wait = this.#registeredAt + AGAIN_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait).unref());
    this.#registeredAt = performance.now();
    await this.#register();
    this.#registering = false;
    if (this.#registerAfter) void this.#registerChange();
  }

  /** One after the other; what changes meanwhile is in the next. */
  async #registerChange(): Promise<void> {
    this.#registerAfter = true;
    if (this.#registering || this.#stopped) return;
    this.#registering = true;
    while (this.#registerAfter) {
      this.#registerAfter = false;
      await this.#register();
    }
    this.#registering = false;
  }

  async #register(): Promise<boolean> {
    try {
      const registered = await registerNode(this.#store, this.#facts());
      if ("refusals" in registered) {
        this.#problem(`the node cannot be registered: ${registered.refusals.join("; ")}`);
        return false;
      }
      this.#registrationProblem = undefined;
      this.#log.info("node registered", { outcome: registered.outcome });
      return true;
    } catch (error) {
      this.#problem(`etcd does not answer: ${(error as Error).message}`);
      return false;
    }
  }

  #problem(text: string): void {
    if (text !== this.#registrationProblem) this.#log.warn(text);
    this.#registrationProblem = text;
  }

  #facts(): NodeFacts {
    const { nodeName, labels } = this.#config;
    const node = typeof this.#kubernetes === "object" ? this.#kubernetes : undefined;
    const links = listLinks();
    const ipv4Address =
      this.#config.ipv4Address ?? annotated(node?.settings.ipv4Address, links) ?? firstFound(links, 4);
    const ipv6Address =
      this.#config.ipv6Address ?? annotated(node?.settings.ipv6Address, links) ?? firstFound(links, 6);
    const { asNumber } = this.#config;
    return {
      nodeName,
      labels,
      ...(asNumber === undefined ? {} : { asNumber }),
      ...(ipv4Address === undefined ? {} : { ipv4Address }),
      ...(ipv6Address === undefined ? {} : { ipv6Address }),
      ...(node === undefined ? {} : { kubernetes: kubernetesFacts(node) }),
    };
  }

  #take(view: ResourceView): void {
    this.#view = view;
    const { nodeName } = this.#config;
    const node = resolveNode(view.snapshot, nodeName);
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
    if (!leaves && (own === undefined || differs(own, this.#facts()))) void this.#registerAgain();
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
