/** What the operators of a simulated network want of each host: prefixes, sessions, rules; and changes of mind. */
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Fact } from "../facts.ts";
import { PLAIN_PEER } from "../plain-peer.ts";
import { OPEN_CHAIN } from "../policy/chain.ts";
import { compileFilter, type OperationSpec, type RuleSpec } from "../policy/compile-filter.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import type { Chance } from "./random.ts";
import { neighborsOf, type Topology } from "./topology.ts";

/** For one neighbour and direction: what is held back, and what is done to the rest. */
interface Rules {
  readonly heldBack: ReadonlySet<string>;
  readonly operations: readonly OperationSpec[];
}

interface HostIntent {
  /** Prefixes it originates, in text. */
  networks: ReadonlySet<string>;
  readonly exports: Map<number, Rules>;
  readonly imports: Map<number, Rules>;
  /** Neighbours that would be its route-reflection clients and are not. */
  readonly notClients: Set<number>;
  /** Neighbours that are left out of its configuration for now. */
  readonly missing: Set<number>;
  /** Counts how often it got a new BGP Identifier. */
  identity: number;
}

/** Of no host's AS. */
const PREPENDED = 64999;
const MARK: OperationSpec = { addCommunity: { value: "65000:1" } };
const PREPEND: OperationSpec = { prependASPath: { prefix: [PREPENDED, PREPENDED] } };
const NO_RULES: Rules = { heldBack: new Set(), operations: [] };

export class Intent {
  readonly topology: Topology;
  readonly #chance: Chance;
  readonly #hosts = new Map<number, HostIntent>();
  readonly #passive = new Set<string>();
  readonly #common: Partial<PeerConfig>;

  constructor(topology: Topology, chance: Chance) {
    this.topology = topology;
    this.#chance = chance;
    // Where ASes tell each other every path, many of them explore ever more: nobody runs it so.
    const isOneAs = topology.kind === "mesh" || topology.kind === "reflectors";
    const addPath = chance.happens(0.3) && (isOneAs || topology.count <= 8);
    const restarts = chance.happens(0.8);
    this.#common = {
      restartTime: restarts ? 60 : undefined,
      longLivedStaleTime: restarts && chance.happens(0.3) ? 100 : undefined,
      restartOnNotification: chance.happens(0.5),
      addPath: { send: addPath, receive: addPath },
      extendedMessages: chance.happens(0.5),
    };
    for (const [a, b] of topology.edges) if (chance.happens(0.2)) this.#passive.add(`${a} ${b}`);
    for (let n = 1; n <= topology.count; n++) {
      const networks = this.#someNetworks(n);
      const none = {
        exports: new Map(),
        imports: new Map(),
        notClients: new Set<number>(),
        missing: new Set<number>(),
      };
      this.#hosts.set(n, { networks, ...none, identity: 0 });
    }
  }

  get hosts(): Iterable<number> {
    return this.#hosts.keys();
  }

  networks(host: number): ReadonlySet<string> {
    return this.#host(host).networks;
  }

  /** With the hosts that are clients now. */
  get present(): Topology {
    const { topology } = this;
    return {
      ...topology,
      reflectsTo: (from, to) => topology.reflectsTo(from, to) && !this.#host(from).notClients.has(to),
    };
  }

  lets(from: number, to: number, prefix: string): boolean {
    const out = this.#host(from).exports.get(to) ?? NO_RULES;
    const into = this.#host(to).imports.get(from) ?? NO_RULES;
    return !out.heldBack.has(prefix) && !into.heldBack.has(prefix);
  }

  changeNetworks(host: number): void {
    this.#host(host).networks = this.#someNetworks(host);
  }

  changeRules(host: number, peer: number): void {
    const all = [...this.#hosts.values()].flatMap(({ networks }) => [...networks]);
    const heldBack = new Set(this.#chance.happens(0.3) ? [] : this.#chance.someOf(all));
    // A reflector that prefers what another one says to its client's own words does not pass it on to a third: so it is
    // in BGP, but it takes more than the topology to foretell.
    const possible = this.topology.kind === "reflectors" ? [MARK] : [MARK, PREPEND];
    const rules = { heldBack, operations: this.#chance.someOf(possible) };
    const { exports, imports } = this.#host(host);
    (this.#chance.happens(0.6) ? exports : imports).set(peer, rules);
  }

  changeClient(host: number, peer: number): void {
    const { notClients } = this.#host(host);
    if (!notClients.delete(peer)) notClients.add(peer);
  }

  changeIdentity(host: number): void {
    this.#host(host).identity++;
  }

  leaveOut(host: number, peer: number): void {
    this.#host(host).missing.add(peer);
  }

  /** Nobody is left with fewer peers than he should have. */
  leaveNobodyOut(): void {
    for (const { missing } of this.#hosts.values()) missing.clear();
  }

  networksFact(host: number): Fact {
    return { kind: "networks", prefixes: [...this.networks(host)].map(prefixOf) };
  }

  peersFact(host: number): Fact {
    const { missing } = this.#host(host);
    const wanted = neighborsOf(this.topology, host).filter((peer) => !missing.has(peer));
    return { kind: "peers", peers: wanted.map((peer) => this.#config(host, peer)) };
  }

  #config(n: number, m: number): PeerConfig {
    const { exports, imports, notClients, identity } = this.#host(n);
    const { topology } = this;
    return {
      ...DEFAULTS,
      ...this.#common,
      name: nameOf(m),
      address: addressOf(`10.0.0.${m}`),
      asNumber: topology.asOf(m),
      localAsNumber: topology.asOf(n),
      routerId: addressOf(`10.${identity}.0.${n}`),
      localAddresses: { 4: addressOf(`10.0.0.${n}`), 6: addressOf(`fd00::${n}`) },
      passive: this.#passive.has(`${n} ${m}`),
      clusterId: addressOf(`10.0.0.${topology.clusterOf(n)}`),
      reflectorClient: topology.reflectsTo(n, m) && !notClients.has(m),
      routeServerClient: topology.serves(n, m),
      exportChain: chainOf(exports.get(m), "export"),
      importChain: chainOf(imports.get(m), "import"),
    };
  }

  /** Some prefixes of its own; where paths are told apart by AS perhaps one that others originate too. */
  #someNetworks(n: number): ReadonlySet<string> {
    const own = [0, 1, 2].flatMap((i) => [`10.${100 + n}.${i}.0/24`, `fd00:${n}:${i + 1}::/64`]);
    const { kind } = this.topology;
    const shared = kind === "mesh" || kind === "reflectors" ? [] : ["10.99.0.0/16"];
    return new Set(this.#chance.someOf([...own, ...shared]));
  }

  #host(n: number): HostIntent {
    return this.#hosts.get(n) as HostIntent;
  }
}

export function nameOf(n: number): string {
  return `h${n}`;
}

const DEFAULTS = { ...PLAIN_PEER, holdTime: 60, restartTime: 60, extendedMessages: true, localAddresses: {} };

function chainOf({ heldBack, operations } = NO_RULES, direction: "import" | "export"): PeerConfig["exportChain"] {
  const rules = (family: 4 | 6): RuleSpec[] => [
    ...[...heldBack]
      .filter((text) => text.includes(":") === (family === 6))
      .map((cidr) => ({ cidr, matchOperator: "Equal", action: "Reject" }) as const),
    { action: "Accept", operations },
  ];
  if (heldBack.size === 0 && operations.length === 0) return OPEN_CHAIN;
  const spec = { [`${direction}V4`]: rules(4), [`${direction}V6`]: rules(6) };
  return { ...OPEN_CHAIN, filters: [compileFilter("f", spec, direction)] };
}
