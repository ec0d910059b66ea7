/**
 * Make before break between nodes: from the mesh to route reflectors, from one BGPPeer to another, and back, without a
 * packet lost, in whatever order the resources are applied.
 *
 * - A session with a node that nobody asks for any more stays until every route it brings has come from elsewhere, for
 *   its restart time at most. Then it ends as by a restart: the other side keeps our routes until it has them from
 *   elsewhere, too.
 * - A reflector that is none any more goes on passing routes for a while: its clients have no other sessions yet.
 * - A session that needs other terms is not made anew before it is settled: routes that are lost twice before they were
 *   said again are gone (RFC 4724 4.2), and a change of resources makes both ends act within the same second.
 *
 * The speaker finds a session with the same address again, whatever it is called: it goes on, or is renewed.
 */
import type { Neighbor } from "../../bgp/neighbor.ts";
import { neededSources } from "../../bgp/rib/needed-sources.ts";
import type { Rib } from "../../bgp/rib/rib.ts";
import { changeNeeds, isExternal, type PeerConfig } from "../../bgp/session/peer-config.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import type { NodeConfig } from "../config/resolve.ts";

/** For the former clients to have sessions of their own: some tries to connect, and a table. */
const STEP_DOWN_MS = 30_000;
/** For so long routes have to be known from elsewhere before the session they came by goes. */
const COVERED_MS = 5_000;
/**
 * Age of a session from which on it may be made anew, if it has said everything; or at the latest. Beside one of 5 s
 * and more the other side takes the new connection for what it is; beside a younger one for a collision.
 */
const SETTLED_MS = 6_000;
const SETTLED_AT_LAST_MS = 30_000;
const NAMED_SESSIONS = 3;

/** What of the speaker decides whether a session may go. */
export interface SpeakerView {
  readonly rib: Rib;
  readonly neighbors: readonly Neighbor[];
}

interface Going {
  readonly config: PeerConfig;
  readonly type: string;
  /** On the caller's clock (ms). */
  readonly until: number;
  /** Since when all of its routes are known from elsewhere; Infinity: they are not. */
  coveredSince: number;
}

/** A reflector as it was, by the address of the peer. */
interface Reflector {
  readonly reflects: NonNullable<NodeConfig["reflects"]>;
  readonly peers: ReadonlyMap<string, PeerConfig>;
  readonly until: number;
}

export class Handover {
  readonly #configsOf: (config: NodeConfig) => PeerConfig[];
  readonly #going = new Map<string, Going>();
  #before: NodeConfig | undefined;
  #told = new Map<string, PeerConfig>();
  #reflector: Reflector | undefined;
  #unsettled = false;
  /** As asked for, a reflector's or none's: thousands of them are not worked out at each look. */
  #made: { readonly reflects: NodeConfig["reflects"]; readonly peers: PeerConfig[] } | undefined;

  /** `configsOf`: what the speaker is to be told of a node's peers. */
  constructor(configsOf: (config: NodeConfig) => PeerConfig[]) {
    this.#configsOf = configsOf;
  }

  /** What is kept though no resource asks for it, in words; empty in the usual case. */
  problems(now: number): readonly string[] {
    const going = [...this.#going.values()];
    if (going.length === 0) return [];
    const names = going.slice(0, NAMED_SESSIONS).map(({ config }) => config.name);
    const more = going.length > names.length ? ` and ${going.length - names.length} more` : "";
    const seconds = Math.ceil((Math.max(...going.map(({ until }) => until)) - now) / 1000);
    const which = `no resource asks for the ${going.length === 1 ? "session" : "sessions"} ${names.join(", ")}${more}`;
    return [`${which}, and routes come from there alone: kept until others bring them, for ${seconds} s at most`];
  }

  /** By name, of sessions that no resource asks for. */
  types(): readonly (readonly [string, string])[] {
    return [...this.#going.values()].map(({ config, type }) => [config.name, `${type} (going)`]);
  }

  /** True while there is something to look at again. */
  get pending(): boolean {
    return this.#going.size > 0 || this.#reflector !== undefined || this.#unsettled;
  }

  /** All peers the speaker is to have now. */
  peers(config: NodeConfig, speaker: SpeakerView, now: number): PeerConfig[] {
    this.#made = undefined;
    return this.again(config, speaker, now);
  }

  /** The same where nothing is other but the time and what the speaker knows: lets go what may go. */
  again(config: NodeConfig, speaker: SpeakerView, now: number): PeerConfig[] {
    const wanted = this.#settled(this.#reflecting(config, now), speaker, now);
    this.#collectGoing(config, wanted, now);
    this.#release(config, wanted, speaker, now);
    this.#before = config;
    this.#told = new Map(wanted.map((one) => [one.name, one]));
    return [...wanted, ...[...this.#going.values()].map((one) => one.config)];
  }

  /** Peers as the configuration has them; of a former reflector for a while as they were. */
  #reflecting(config: NodeConfig, now: number): PeerConfig[] {
    const reflects = this.#before?.reflects;
    if (config.reflects !== undefined) this.#reflector = undefined;
    else if (reflects !== undefined) {
      const told = [...this.#told.values(), ...[...this.#going.values()].map((one) => one.config)];
      const peers = new Map(told.map((peer) => [formatAddress(peer.address), peer]));
      this.#reflector = { reflects, peers, until: now + STEP_DOWN_MS };
    }
    const reflector = this.#reflector;
    if (reflector === undefined || reflector.until <= now) {
      this.#reflector = undefined;
      return this.#configs(config);
    }
    return this.#configs({ ...config, reflects: reflector.reflects }).map((peer) => {
      const was = reflector.peers.get(formatAddress(peer.address));
      if (was?.reflectorClient !== true || isExternal(peer)) return peer;
      return { ...peer, reflectorClient: true, clusterId: was.clusterId, addPath: was.addPath };
    });
  }

  #configs(config: NodeConfig): PeerConfig[] {
    if (this.#made === undefined || this.#made.reflects !== config.reflects) {
      this.#made = { reflects: config.reflects, peers: this.#configsOf(config) };
    }
    return this.#made.peers;
  }

  /** Sessions that would have to be made anew stay as they are until they have said everything. */
  #settled(wanted: readonly PeerConfig[], { neighbors }: SpeakerView, now: number): PeerConfig[] {
    const byName = new Map(neighbors.map((neighbor) => [neighbor.peer.config.name, neighbor]));
    const byPlace = new Map(neighbors.map((neighbor) => [formatAddress(neighbor.peer.config.address), neighbor]));
    this.#unsettled = false;
    return wanted.map((config) => {
      const neighbor = byName.get(config.name) ?? byPlace.get(formatAddress(config.address));
      if (neighbor === undefined || config.held !== undefined || isSettled(neighbor, now)) return config;
      if (changeNeeds(neighbor.peer.config, config) !== "new session") return config;
      this.#unsettled = true;
      return neighbor.peer.config;
    });
  }

  /** Sessions with nodes that were asked for and are not any more, though the node is still there. */
  #collectGoing({ nodes }: NodeConfig, wanted: readonly PeerConfig[], now: number): void {
    const names = new Set(wanted.map(({ name }) => name));
    const unasked = (this.#before?.peers ?? []).filter(({ name, node }) => node !== undefined && !names.has(name));
    if (unasked.length === 0) return;
    const there = new Set<string | undefined>(nodes.map(({ name }) => name));
    for (const { name, node, type } of unasked) {
      const config = this.#told.get(name);
      if (config === undefined || !there.has(node)) continue;
      const keptMs = (config.restartTime ?? 0) * 1000;
      if (keptMs === 0 || config.held !== undefined) continue;
      const kept: PeerConfig = { ...config, endsQuietly: "always" };
      this.#going.set(name, { config: kept, type, until: now + keptMs, coveredSince: Number.POSITIVE_INFINITY });
    }
  }

  #release({ nodes }: NodeConfig, wanted: readonly PeerConfig[], speaker: SpeakerView, now: number): void {
    if (this.#going.size === 0) return;
    const places = new Set(wanted.map(({ address }) => formatAddress(address)));
    const there = new Set(nodes.flatMap(({ addresses }) => addresses));
    for (const [name, { config, until }] of this.#going) {
      const address = formatAddress(config.address);
      // Asked for again, by whatever name, or of a node that is gone or has moved.
      if (until <= now || places.has(address) || !there.has(address)) this.#going.delete(name);
    }
    const sources = new Map(
      speaker.neighbors.flatMap(({ peer, source }) =>
        this.#going.has(peer.config.name) ? [[source, peer.config.name]] : [],
      ),
    );
    // Not told to the speaker yet: what they bring is not known to be theirs.
    if (sources.size < this.#going.size) return;
    const needed = neededSources(speaker.rib, new Set(sources.keys()));
    for (const [source, name] of sources) {
      const one = this.#going.get(name) as Going;
      one.coveredSince = needed.has(source) ? Number.POSITIVE_INFINITY : Math.min(one.coveredSince, now);
      if (now - one.coveredSince >= COVERED_MS) this.#going.delete(name);
    }
  }
}

/** Also one that is not there at all; not one that is just being made. */
function isSettled({ peer, endOfRib }: Neighbor, now: number): boolean {
  const { session } = peer;
  const age = now - peer.since;
  if (age >= SETTLED_AT_LAST_MS) return true;
  if (session === undefined) return peer.state !== "OpenSent" && peer.state !== "OpenConfirm";
  return age >= SETTLED_MS && session.negotiated.families.every((family) => endOfRib.has(family));
}
