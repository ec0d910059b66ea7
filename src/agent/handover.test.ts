/** Networks of agents whose resources change: at no moment does a node lack a route to another one's pods. */
import { describe, expect, it } from "@jest/globals";
import { Network } from "../../bgp/simulate/network.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { type NodeConfig, resolveNode } from "../config/resolve.ts";
import type { Resource } from "../config/resource.ts";
import { resource, type Spec, snapshot } from "../config/resources-for-tests.ts";
import { Handover } from "./handover.ts";
import { peerConfigs } from "./peers.ts";

const NUMBERS = [1, 2, 3, 4];
const node = (n: number, bgp: Spec = {}, labels = {}) =>
  resource("Node", `n${n}`, { bgp: { ipv4Address: `10.0.0.${n}/24`, ...bgp } }, labels);
const plain = NUMBERS.map((n) => node(n));
const withHub = [node(1, { routeReflectorClusterID: "10.9.9.9" }, { hub: "yes" }), ...plain.slice(1)];
const pool = resource("IPPool", "pods", { cidr: "10.244.0.0/16" });
const off = resource("BGPConfiguration", "default", { nodeToNodeMeshEnabled: false });
const toHub = (spec: Spec = {}) =>
  resource("BGPPeer", "hub", { nodeSelector: "all()", peerSelector: "has(hub)", ...spec });

const MESH = [...plain, pool];
const REFLECTED = [...withHub, pool, off, toHub()];

class Agents {
  readonly network: Network;
  readonly #handovers = NUMBERS.map(() => new Handover((config) => peerConfigs(config, () => ({ missing: "" }))));
  readonly #configs: (NodeConfig | undefined)[] = [];
  readonly #arriving: { readonly at: number; readonly node: number; readonly config: NodeConfig }[] = [];
  #looked = 0;

  constructor(seed: number, resources: readonly Resource[]) {
    this.network = new Network(seed);
    for (const n of NUMBERS) {
      const direct = { prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 };
      this.network.addHost(`n${n}`, { addresses: [addressOf(`10.0.0.${n}`)], underlay: [direct] });
      this.network.start(`n${n}`);
      this.network.tell(`n${n}`, { kind: "networks", prefixes: [prefixOf(`10.244.${n}.0/24`)] });
    }
    this.apply(resources);
    this.network.run(20_000);
    this.run(10_000);
  }

  /** Agents hear of it one after the other, in any order. */
  apply(resources: readonly Resource[]): void {
    const now = snapshot(resources);
    for (const n of NUMBERS) {
      const at = this.network.now + Math.floor(this.network.random() * 1500);
      this.#arriving.push({ at, node: n, config: resolveNode(now, `n${n}`) });
    }
    if (this.#configs.length === 0) this.#take(Number.POSITIVE_INFINITY);
  }

  /** Lets time pass, and says when which route was missing where. */
  run(milliseconds: number): string[] {
    const missing: string[] = [];
    for (const end = this.network.now + milliseconds; this.network.now < end; ) {
      this.network.run(10);
      this.#take(this.network.now);
      for (const n of NUMBERS) {
        const fib = this.network.hosts.get(`n${n}`)?.fib;
        const lacks = NUMBERS.filter((other) => other !== n && fib?.get(`10.244.${other}.0/24`) !== `10.0.0.${other}`);
        if (lacks.length > 0) missing.push(`${this.network.now}: n${n} lacks n${lacks.join(", n")}`);
      }
    }
    return missing;
  }

  /** Names of what a node has sessions for, those that are not up marked. */
  sessions(n: number): string[] {
    const { neighbors = [] } = this.network.hosts.get(`n${n}`)?.speaker ?? {};
    return neighbors.map(({ peer }) => `${peer.config.name}${peer.session === undefined ? " down" : ""}`).sort();
  }

  /** Sessions that came up anew. */
  established(): number {
    const events = [...this.network.hosts.values()].flatMap((host) => host.events);
    return events.filter((event) => event.kind === "session" && event.to === "Established").length;
  }

  #take(now: number): void {
    for (const arrived of this.#arriving.filter(({ at }) => at <= now)) this.#configs[arrived.node] = arrived.config;
    const due = this.#arriving.filter(({ at }) => at <= now).map((one) => one.node);
    this.#arriving.splice(0, Infinity, ...this.#arriving.filter(({ at }) => at > now));
    const looks = this.network.now - this.#looked >= 500;
    if (looks) this.#looked = this.network.now;
    for (const n of NUMBERS) {
      const handover = this.#handovers[n - 1] as Handover;
      const config = this.#configs[n];
      const speaker = this.network.hosts.get(`n${n}`)?.speaker;
      if (config === undefined || speaker === undefined) continue;
      if (!due.includes(n) && !(looks && handover.pending)) continue;
      const { now: time } = this.network;
      const peers = due.includes(n) ? handover.peers(config, speaker, time) : handover.again(config, speaker, time);
      this.network.tell(`n${n}`, { kind: "peers", peers });
    }
  }
}

const REFLECTED_SESSIONS = [["hub/n2", "hub/n3", "hub/n4"], ["hub/n1"], ["hub/n1"], ["hub/n1"]];
const meshSessions = NUMBERS.map((n) => NUMBERS.filter((other) => other !== n).map((other) => `mesh/n${other}`));
const PAUSE_MS = 10_000;

type Step = readonly Resource[];

const TO_REFLECTORS: readonly (readonly [string, readonly Step[]])[] = [
  ["reflectors first, then the mesh off", [[...withHub, pool, toHub()], REFLECTED]],
  ["all in one apply", [REFLECTED]],
  ["the mesh off first", [[...plain, pool, off], REFLECTED]],
  ["the cluster ID before there is a peering", [[...withHub, pool], [...withHub, pool, toHub()], REFLECTED]],
  ["the mesh off between the two", [[...withHub, pool], [...withHub, pool, off], REFLECTED]],
];

const BACK: readonly (readonly [string, readonly Step[]])[] = [
  ["the mesh on first, then the reflectors away", [[...withHub, pool, toHub()], MESH]],
  ["all in one apply", [MESH]],
  ["the peering away first", [[...withHub, pool, off], MESH]],
  ["the cluster ID away first", [[...plain, pool, off, toHub()], MESH]],
];

const SEEDS = [1, 2, 3, 4, 5];

describe("from the mesh to a reflector no route is ever missing", () => {
  it.each(TO_REFLECTORS)("%s", (_, steps) => {
    for (const seed of SEEDS) {
      const agents = new Agents(seed, MESH);
      const missing = steps.flatMap((step) => {
        agents.apply(step);
        return agents.run(PAUSE_MS);
      });
      missing.push(...agents.run(150_000));
      expect({ seed, missing }).toEqual({ seed, missing: [] });
      expect(NUMBERS.map((n) => agents.sessions(n))).toEqual(REFLECTED_SESSIONS);
    }
  });

  it("with other terms for the new sessions, too: they are renewed as after a restart", () => {
    for (const seed of SEEDS) {
      const agents = new Agents(seed, MESH);
      agents.apply([...withHub, pool, off, toHub({ holdTime: 30, maxRestartTime: "60s" })]);
      expect({ seed, missing: agents.run(150_000) }).toEqual({ seed, missing: [] });
      expect(NUMBERS.map((n) => agents.sessions(n))).toEqual(REFLECTED_SESSIONS);
    }
  });

  it("nor when the terms of the mesh change", () => {
    for (const seed of SEEDS) {
      const agents = new Agents(seed, MESH);
      const missing = [30, 60, 31, 61].flatMap((holdTime) => {
        agents.apply([...plain, pool, resource("BGPConfiguration", "default", { holdTime })]);
        return agents.run(20_000);
      });
      missing.push(...agents.run(30_000));
      expect({ seed, missing }).toEqual({ seed, missing: [] });
      expect(NUMBERS.map((n) => agents.sessions(n))).toEqual(meshSessions);
    }
  });
});

describe("and back again", () => {
  it.each(BACK)("%s", (_, steps) => {
    for (const seed of SEEDS) {
      const agents = new Agents(seed, REFLECTED);
      const missing = steps.flatMap((step) => {
        agents.apply(step);
        return agents.run(PAUSE_MS);
      });
      missing.push(...agents.run(150_000));
      expect({ seed, missing }).toEqual({ seed, missing: [] });
      expect(NUMBERS.map((n) => agents.sessions(n))).toEqual(meshSessions);
    }
  });
});

describe("a session with a node that nobody asks for", () => {
  it("ends when its restart time is over and nothing has taken its place", () => {
    const agents = new Agents(1, MESH);
    agents.apply([...plain, pool, off]);
    expect(agents.run(100_000)).toEqual([]);
    expect(agents.sessions(2)).toEqual(["mesh/n1", "mesh/n3", "mesh/n4"]);
    agents.run(150_000);
    expect(NUMBERS.map((n) => agents.sessions(n))).toEqual([[], [], [], []]);
    expect([...(agents.network.hosts.get("n2")?.fib.keys() ?? [])]).toEqual([]);
  });

  it("ends at once when that node is gone", () => {
    const agents = new Agents(1, MESH);
    agents.apply(MESH.filter(({ metadata }) => metadata.name !== "n4"));
    agents.run(5_000);
    expect(agents.sessions(2)).toEqual(["mesh/n1", "mesh/n3"]);
  });

  it("goes on under the name of the peering that takes it over, unbroken", () => {
    const agents = new Agents(1, MESH);
    const before = agents.established();
    agents.apply([...plain, pool, resource("BGPPeer", "all", { peerSelector: "all()", nodeSelector: "all()" })]);
    expect(agents.run(20_000)).toEqual([]);
    expect(agents.sessions(1)).toEqual(["all/n2", "all/n3", "all/n4"]);
    expect(agents.established()).toBe(before);
  });
});
