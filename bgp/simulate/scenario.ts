/**
 * One random life of a network: links are cut and healed, speakers killed and started again, policies, networks and
 * connections change; then all is left alone, and what came of it is compared with what must have (see verdict.ts).
 */
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { UnderlayRoute } from "../rib/next-hops.ts";
import { DEFAULT_SETTINGS } from "../rib/settings.ts";
import { Intent, nameOf } from "./intent.ts";
import { Network, type SimulatedHost } from "./network.ts";
import { Chance } from "./random.ts";
import { KINDS, neighborsOf, type Topology, topology } from "./topology.ts";
import { checkEmpty, checkOutcome } from "./verdict.ts";

/** Long enough for hold times, retries, restart times and the wait for End-of-RIB, one after the other. */
const QUIET_MS = 420_000;
/** How long a speaker that was started again keeps what it finds in the forwarding table. */
const RESTART_MS = 60_000;
/** Between two events: from the middle of a handshake to the end of every timer. */
const PAUSES_MS = [10, 300, 5_000, 40_000, 150_000];
/** Everything is over and told. */
const END_MS = 1000;

const EVENTS = [
  ...(["cut", "cut", "heal", "kill", "start", "start", "start afresh", "restart twice", "shut down"] as const),
  ...(["networks", "networks", "rules", "rules", "rules", "client", "leave out", "settings", "unreachable"] as const),
  ...(["reset", "refresh", "congest", "disable", "calm"] as const),
] as const;

export class Scenario {
  readonly network: Network;
  readonly topology: Topology;
  readonly intent: Intent;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #cut = new Set<string>();
  /** When a speaker was started again that has not said that its restart is over, by host (ms). */
  readonly #restarted = new Map<number, number>();
  /** What is put right again when all calms down. */
  #undo: (() => void)[] = [];
  /** What was done, for whoever looks into a failure. */
  readonly log: string[] = [];

  /** `most`: hosts, at most; 3 at least. */
  constructor(seed: number, most = 8) {
    this.#seed = seed;
    this.network = new Network(seed);
    this.#chance = new Chance(this.network.random);
    this.topology = topology(this.#chance.oneOf(KINDS), 3 + this.#chance.below(most - 2), this.network.random);
    this.intent = new Intent(this.topology, this.#chance);
    for (const n of this.intent.hosts) {
      const addresses = [addressOf(`10.0.0.${n}`), addressOf(`fd00::${n}`)] as const;
      this.network.addHost(nameOf(n), { addresses, underlay: underlay() });
    }
  }

  /** Lives through it all; throws with the seed when something is not as it must be. */
  run(): void {
    try {
      for (const host of this.intent.hosts) this.#boot(host, false);
      for (let left = this.#chance.below(14); left > 0; left--) {
        this.#pass(this.#chance.oneOf(PAUSES_MS) * this.#chance.random());
        this.#event();
      }
      this.#calm();
      for (let passed = 0; passed < QUIET_MS; passed += RESTART_MS) this.#pass(RESTART_MS);
      checkOutcome(this.network, this.intent, (a, b) => !this.#cut.has(edge(a, b)));
      this.#end();
    } catch (error) {
      const story = this.log.map((line) => `  ${line}\n`).join("");
      const what = error instanceof Error ? error.message : String(error);
      const { kind, count } = this.topology;
      throw new Error(`seed ${this.#seed} (${kind}, ${count} speakers): ${what}\n${story}`, { cause: error });
    }
  }

  /** Virtual time passes. */
  #pass(milliseconds: number): void {
    this.network.run(milliseconds);
    for (const [host, at] of this.#restarted) {
      if (this.network.now < at + RESTART_MS) continue;
      this.network.endRestart(nameOf(host));
      this.#restarted.delete(host);
    }
  }

  #event(): void {
    const host = 1 + this.#chance.below(this.topology.count);
    const peer = this.#chance.oneOf(neighborsOf(this.topology, host));
    const what = this.#chance.oneOf(EVENTS);
    this.log.push(`${Math.round(this.network.now)} ms: ${what} ${host}-${peer}`);
    switch (what) {
      case "cut":
        this.#cut.add(edge(host, peer));
        return this.network.cut(nameOf(host), nameOf(peer));
      case "heal":
        this.#cut.delete(edge(host, peer));
        return this.network.heal(nameOf(host), nameOf(peer));
      case "kill":
        return this.network.kill(nameOf(host));
      case "start":
      case "start afresh":
        return this.#start(host, what === "start");
      case "restart twice":
        return this.#restartTwice(host);
      case "calm":
        return this.#calm();
      default:
        return this.#operate(what, host, peer);
    }
  }

  /** An operator does something. */
  #operate(what: (typeof EVENTS)[number], host: number, peer: number): void {
    const { intent, network } = this;
    const message = "";
    switch (what) {
      case "networks":
        intent.changeNetworks(host);
        return network.tell(nameOf(host), intent.networksFact(host));
      case "rules":
        intent.changeRules(host, peer);
        return this.#tellPeers(host);
      case "client":
        intent.changeClient(host, peer);
        return this.#tellPeers(host);
      case "leave out":
        intent.leaveOut(host, peer);
        this.#undo.push(() => intent.leaveNobodyOut());
        return this.#tellPeers(host);
      case "settings":
        return network.tell(nameOf(host), {
          kind: "settings",
          settings: { ...DEFAULT_SETTINGS, multipath: 1 + this.#chance.below(4) },
        });
      case "reset":
      case "refresh":
        return network.tell(nameOf(host), { kind: "reset", peer: nameOf(peer), soft: what === "refresh", message });
      case "disable":
        this.#undo.push(() => network.tell(nameOf(host), { kind: "enable", peer: nameOf(peer) }));
        return network.tell(nameOf(host), { kind: "disable", peer: nameOf(peer), message });
      case "shut down":
        network.tell(nameOf(host), { kind: "shutdown", message });
        return network.kill(nameOf(host));
      case "unreachable":
        this.#undo.push(() => network.tell(nameOf(host), { kind: "underlay", routes: underlay() }));
        return network.tell(nameOf(host), { kind: "underlay", routes: underlay(peer) });
      default:
        return this.#congest(host);
    }
  }

  /** Its connections take nothing more, some of them. */
  #congest(host: number): void {
    for (const connection of this.#simulated(host).endpoints.keys()) {
      if (this.#chance.happens(0.5)) continue;
      this.#undo.push(() => this.network.tell(nameOf(host), { kind: "drained", connection }));
      this.network.tell(nameOf(host), { kind: "congested", connection });
    }
  }

  #calm(): void {
    for (const undo of this.#undo) undo();
    this.#undo = [];
    for (const host of this.intent.hosts) this.#tellPeers(host);
  }

  #restartTwice(host: number): void {
    for (let n = 0; n < 2; n++) {
      this.network.kill(nameOf(host));
      this.#pass(this.#chance.below(500));
      this.#boot(host, this.#chance.happens(0.7));
      this.#pass(this.#chance.below(4000));
    }
  }

  #start(host: number, restarting: boolean): void {
    if (this.#simulated(host).speaker !== undefined) return;
    if (!restarting && this.#chance.happens(0.5)) this.intent.changeIdentity(host);
    this.#boot(host, restarting);
  }

  /** `restarting`: with the forwarding table that the speaker before left behind. */
  #boot(n: number, restarting: boolean): void {
    this.network.start(nameOf(n), restarting);
    if (restarting) this.#restarted.set(n, this.network.now);
    else this.#restarted.delete(n);
    this.network.tell(nameOf(n), this.intent.networksFact(n));
    this.#tellPeers(n);
  }

  #tellPeers(n: number): void {
    this.network.tell(nameOf(n), this.intent.peersFact(n));
  }

  /** All sessions end and nothing is originated: nothing is left in any RIB. */
  #end(): void {
    for (const { name } of this.network.hosts.values()) {
      this.network.tell(name, { kind: "networks", prefixes: [] });
      this.network.tell(name, { kind: "peers", peers: [] });
    }
    this.network.run(END_MS);
    for (const host of this.network.hosts.values()) checkEmpty(host);
  }

  #simulated(n: number): SimulatedHost {
    return this.network.hosts.get(nameOf(n)) as SimulatedHost;
  }
}

/** One flat network; without the way to one of its hosts. */
function underlay(without?: number): UnderlayRoute[] {
  const route = (text: string, reachable: boolean) => {
    return { prefix: prefixOf(text), via: reachable ? [{ interfaceIndex: 2 }] : [], metric: 0 };
  };
  const gone = without === undefined ? [] : [`10.0.0.${without}/32`, `fd00::${without}/128`];
  return [...["10.0.0.0/16", "fd00::/64"].map((text) => route(text, true)), ...gone.map((text) => route(text, false))];
}

function edge(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
