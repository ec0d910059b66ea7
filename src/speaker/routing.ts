/**
 * The speaker on real sockets, and the kernel's table kept as the speaker wants it, or left alone.
 *
 * Routes of an earlier run stay in the kernel until the peers have said theirs again (RFC 4724), then what nobody
 * wants any more is swept.
 */
import type { Fact, Network, SpeakerEvent, SpeakerSettings } from "../../bgp/facts.ts";
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import type { PeerConfig, PeerRange } from "../../bgp/session/peer-config.ts";
import { formatPrefix, hostPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { listLinks } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import type { ConnectionEnds } from "./capture-stream.ts";
import { Convergence } from "./convergence.ts";
import type { Forwarding, WantedRoutes } from "./forwarding.ts";
import { KernelView } from "./kernel-view.ts";
import { type Listen, Listeners } from "./listeners.ts";
import { RecordedSpeaker } from "./recorded-speaker.ts";
import { SpeakerLoop } from "./speaker-loop.ts";
import { wallClock } from "./wall-clock.ts";

/** How often it is asked whether the peers have said everything. */
const CHECK_MS = 500;
const SEEDS = 2 ** 32;

export interface RoutingOptions {
  readonly log: Log;
  /** False: the kernel's routes are read, for next hops, but none is written. */
  readonly install: boolean;
  /** Number of the routing table to write to; the main one if absent. */
  readonly table?: number;
  /** What an operator does about a BGP port that somebody else has. */
  readonly listenCure: string;
}

export interface Announced {
  readonly networks: readonly Prefix[];
  /** Own prefixes whose free addresses must not be sent on. */
  readonly blackholes: readonly Prefix[];
}

export class Routing {
  readonly speaker: RecordedSpeaker;
  readonly listeners: Listeners;
  /** Moments of the speaker's clock as milliseconds since 1970. */
  readonly wall = wallClock();
  readonly #log: Log;
  readonly #kernel: KernelView;
  readonly #loop: SpeakerLoop;
  readonly #stops: (() => void)[] = [];
  /** What is originated, by prefix: as announce() and as announceBeside() has it. */
  #whole: ReadonlyMap<string, Prefix> = new Map();
  readonly #beside = new Map<string, Network>();
  #convergence: Convergence | undefined;
  #announced: string | undefined;
  #leftAlone = "";
  #underlay: readonly UnderlayRoute[] = [];
  #attached: readonly UnderlayRoute[] = [];
  #attachedText = "[]";
  #sweep: "waiting" | "going on" | "done" = "waiting";

  constructor({ log, install, table, listenCure }: RoutingOptions) {
    this.#log = log;
    this.#kernel = new KernelView({ log, ...(table === undefined ? {} : { table }) });
    const { left } = this.#kernel;
    if (install && left > 0)
      log.info("found routes of an earlier run; they stay until the peers are back", { routes: left });
    this.speaker = new RecordedSpeaker({
      seed: Math.floor(Math.random() * SEEDS),
      restarting: install && left > 0,
      forwards: install,
    });
    this.#loop = new SpeakerLoop({
      speaker: this.speaker,
      now: () => performance.now(),
      forward: () => this.#forward(),
      event: (event) => this.#event(event),
      refused: (peer, reason) => log.error("a connection was turned away", { peer, reason }),
      interfaceIndex: (name) => listLinks().find((link) => link.name === name)?.index,
    });
    this.listeners = new Listeners({ log, cure: listenCure, connection: (socket) => this.#loop.accept(socket) });
    this.#kernel.serve({
      underlay: (routes) => {
        this.#underlay = routes;
        this.#tellUnderlay();
      },
      ...(install ? { wanted: this.#wanted() } : {}),
    });
    const check = setInterval(() => this.#check(), CHECK_MS);
    this.#stops.push(() => clearInterval(check));
  }

  /** Why routing is not complete, in words; empty once it has been. */
  notReady(): readonly string[] {
    const { problems } = this.listeners;
    if (problems.length > 0) return problems;
    if (this.#convergence === undefined) return ["waiting for the configuration of peers"];
    const waiting = this.#convergence.waitingFor(this.speaker.neighbors, performance.now());
    if (waiting.length > 0) return waiting.map((what) => `waiting for ${what}`);
    return this.#sweep === "done" ? [] : ["about to sweep what an earlier run left"];
  }

  /** Undefined: no kernel routes are written. */
  get kernel(): Pick<Forwarding, "installed" | "refused" | "isInstalled"> | undefined {
    return this.#kernel.forwarding;
  }

  /** Addresses and ports of a connection. */
  ends(connection: number): ConnectionEnds | undefined {
    return this.#loop.ends(connection);
  }

  tell(fact: Fact): void {
    this.#loop.tell(fact);
  }

  configure(settings: SpeakerSettings): void {
    this.#loop.tell({ kind: "settings", settings });
  }

  /** The first call starts the sessions: whatever is to be announced must be known before. */
  setPeers(peers: readonly PeerConfig[], ranges: readonly PeerRange[], listen: readonly Listen[]): void {
    // Passwords first: who is told to come with another one must not find the old one.
    this.listeners.setPasswords([
      ...ranges.flatMap(({ range, template }) => passwordOf(range, template)),
      ...peers.flatMap((peer) => passwordOf(hostPrefix(peer.address), peer)),
    ]);
    this.#loop.tell({ kind: "peers", peers, ranges });
    this.listeners.listen(listen);
    this.#convergence ??= new Convergence(performance.now());
  }

  /** All there is to originate, but what {@link announceBeside} has. */
  announce({ networks, blackholes }: Announced): void {
    // The agent asks after every pod; it differs only after a claim, a borrowed address or a change of pools.
    const text = [networks, blackholes].map((prefixes) => prefixes.map(formatPrefix).join(" ")).join(";");
    if (text === this.#announced) return;
    this.#announced = text;
    this.#kernel.forwarding?.setBlackholes(blackholes);
    const before = this.#whole;
    this.#whole = new Map(networks.map((prefix) => [formatPrefix(prefix), prefix]));
    const keys = [...before.keys(), ...this.#whole.keys()];
    const isBeside = (key: string) => this.#beside.has(key);
    this.#tellNetworks(keys.filter((key) => before.has(key) !== this.#whole.has(key) && !isBeside(key)));
  }

  /** Changes of what is originated beside that: prefixes with communities of their own, of which there may be many. */
  announceBeside(announced: readonly Network[], withdrawn: readonly Prefix[]): void {
    for (const prefix of withdrawn) this.#beside.delete(formatPrefix(prefix));
    for (const network of announced) this.#beside.set(formatPrefix(network), network);
    this.#tellNetworks([...withdrawn, ...announced].map(formatPrefix));
  }

  /** Destinations that somebody else on this machine takes care of: no route of ours goes to the kernel for them. */
  leaveAlone(ranges: readonly Prefix[]): void {
    const text = ranges.map(formatPrefix).join(" ");
    if (text === this.#leftAlone) return;
    this.#leftAlone = text;
    this.#kernel.forwarding?.leaveAlone(ranges);
  }

  /** Routes to pods with sessions, which are ours and so not among those that others made. */
  attach(ways: readonly UnderlayRoute[]): void {
    const text = JSON.stringify(ways.map(({ prefix, via }) => [formatPrefix(prefix), via]));
    if (text === this.#attachedText) return;
    this.#attachedText = text;
    this.#attached = ways;
    this.#tellUnderlay();
  }

  #tellUnderlay(): void {
    const routes = this.#attached.length === 0 ? this.#underlay : [...this.#underlay, ...this.#attached];
    this.#loop.tell({ kind: "underlay", routes });
  }

  #tellNetworks(changed: readonly string[]): void {
    const announced: Network[] = [];
    const withdrawn: Prefix[] = [];
    for (const key of new Set(changed)) {
      const network = this.#beside.get(key) ?? this.#whole.get(key);
      if (network === undefined) withdrawn.push(prefixOf(key));
      else announced.push(network);
    }
    if (announced.length + withdrawn.length > 0) this.#loop.tell({ kind: "networks-changed", announced, withdrawn });
  }

  /** Ends every session for good, with words for the other sides, and takes our routes from the kernel. */
  async shutDown(message: string): Promise<void> {
    this.#loop.tell({ kind: "shutdown", message });
    await this.#end();
    await this.#kernel.removeOurs();
    await this.#kernel.stop();
  }

  /** Sessions end without a NOTIFICATION and kernel routes stay: peers and kernel go on until we are back. */
  async stop(): Promise<void> {
    await this.#end();
    await this.#kernel.stop();
  }

  async #end(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.listeners.close();
    await this.#loop.stop();
  }

  #wanted(): WantedRoutes {
    const { speaker } = this;
    const { rib } = speaker;
    return {
      takeForwardingChanges: (limit, sink) => speaker.takeForwardingChanges(limit, sink),
      forwardingOf: (prefix) => rib.forwardingOf(prefix),
      forwarding: () => rib.forwarding(),
      get forwardingCount() {
        return rib.forwardingTables[4].count + rib.forwardingTables[6].count;
      },
      get isDeciding() {
        return rib.undecided > 0 || rib.forwardingChangesPending;
      },
    };
  }

  /** There is never more to do for the loop: what is much goes on by itself. */
  #forward(): boolean {
    this.#kernel.forwarding?.forward();
    return false;
  }

  #check(): void {
    if (this.#sweep !== "waiting" || this.#convergence === undefined) return;
    if (this.speaker.rib.forwardingChangesPending) return;
    if (this.#convergence.waitingFor(this.speaker.neighbors, performance.now()).length > 0) return;
    this.speaker.endRestart();
    this.#loop.wake();
    if (this.#kernel.forwarding === undefined) {
      this.#sweep = "done";
      return;
    }
    this.#sweep = "going on";
    this.#kernel.sweep().then(
      (routes) => {
        this.#sweep = "done";
        this.#log.info("routes are complete; what an earlier run left is swept", { routes });
      },
      (error: unknown) => {
        this.#sweep = "waiting";
        this.#log.error("what an earlier run left cannot be swept", { error });
      },
    );
  }

  #event(event: SpeakerEvent): void {
    const { kind, ...fields } = event;
    if (kind === "session") this.#log.info(`session ${event.to}`, fields);
    else if (kind === "bad-update") this.#log.warn("malformed UPDATE", fields);
    else this.#log.info(kind, fields);
  }
}

function passwordOf(peers: Prefix, { password }: PeerConfig) {
  return password === undefined ? [] : [{ peers, password }];
}
