/** What holds for this node, as the resources say: read once, then followed. The last known goes on while etcd is away. */
import type { AddressWithLength } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { Store } from "../../ipam/store.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { type NodeFacts, registerNode } from "../config/node-registration.ts";
import { poolOf } from "../config/pools.ts";
import { type NodeConfig, resolveNode } from "../config/resolve.ts";
import { type ResourceView, watchResources } from "../config/resource-watch.ts";
import { type Link, listLinks } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import { firstFound } from "./node-address.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;

export interface Configured {
  readonly node: NodeConfig;
  readonly pools: readonly Pool[];
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
  current: Configured | undefined;

  constructor(config: AgentConfig, store: Store, log: Log, changed: (configured: Configured) => void) {
    this.#config = config;
    this.#store = store;
    this.#log = log;
    this.#changed = changed;
  }

  get notReady(): string[] {
    if (this.#registrationProblem !== undefined) return [this.#registrationProblem];
    return this.#view === undefined ? ["the resources are not read yet"] : [];
  }

  /** What is wrong with the configuration, in words; the rest of it is in force all the same. */
  get problems(): readonly string[] {
    const away = this.#view?.synced === false ? ["etcd does not answer: going on with what was last read"] : [];
    return [...away, ...(this.#view?.problems ?? []), ...(this.current?.node.problems ?? [])];
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
    const { nodeName, labels, asNumber } = this.#config;
    const links = listLinks();
    const ipv4Address = this.#config.ipv4Address ?? firstFound(links, 4);
    const ipv6Address = this.#config.ipv6Address ?? firstFound(links, 6);
    return {
      nodeName,
      labels,
      ...(asNumber === undefined ? {} : { asNumber }),
      ...(ipv4Address === undefined ? {} : { ipv4Address }),
      ...(ipv6Address === undefined ? {} : { ipv6Address }),
    };
  }

  #take(view: ResourceView): void {
    this.#view = view;
    const { nodeName } = this.#config;
    const node = resolveNode(view.snapshot, nodeName);
    const own = view.snapshot.nodes.find(({ metadata }) => metadata.name === nodeName);
    this.current = { node, pools: view.snapshot.pools.map(poolOf), labels: own?.metadata.labels ?? {} };
    if (node.logLevel !== undefined) this.#log.setLevel(node.logLevel);
    const problems = this.problems.join("\n");
    if (problems !== this.#problemsLogged) for (const problem of this.problems) this.#log.warn(problem);
    this.#problemsLogged = problems;
    this.#changed(this.current);
  }
}

/** MTU of the link that has the node's address; 1500 where none has. */
export function uplinkMtu(links: readonly Link[], addresses: readonly AddressWithLength[]): number {
  const texts = addresses.map(({ address }) => address.join("."));
  const uplink = links.find((link) => link.addresses.some(({ address }) => texts.includes(address.join("."))));
  return uplink?.mtu ?? 1500;
}
