/**
 * The routing half of the agent: the speaker on real sockets, and the kernel's table kept as the speaker wants it.
 *
 * Routes of an earlier run stay in the kernel until the peers have said theirs again (RFC 4724), then what nobody
 * wants any more is swept.
 */
import type { Server } from "node:net";
import type { SpeakerEvent } from "../../bgp/facts.ts";
import type { ForwardingChange } from "../../bgp/rib/rib.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { Speaker } from "../../bgp/speaker.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { watchKernel } from "../kernel/monitor.ts";
import { KernelRoutes, ROUTE_METRIC, ROUTE_PROTOCOL } from "../kernel/routes.ts";
import { listenTcp } from "../kernel/tcp.ts";
import type { Log } from "../telemetry/log.ts";
import { Convergence } from "./convergence.ts";
import { Forwarding } from "./forwarding.ts";
import type { Origination } from "./originate.ts";
import { SpeakerLoop } from "./speaker-loop.ts";
import { underlayOf } from "./underlay.ts";

/** A burst of kernel events is one look at the table; a large table is looked at less often, a tenth of the time. */
const KERNEL_QUIET_MS = 50;
const LOOK_SHARE = 10;
/** What the kernel refused is tried again, and convergence looked at. */
const CHECK_MS = 500;
const LISTEN_RETRY_MS = 5_000;

export class Routing {
  readonly speaker: Speaker;
  readonly forwarding: Forwarding;
  readonly #log: Log;
  readonly #kernel = KernelRoutes.open();
  readonly #loop: SpeakerLoop;
  readonly #stops: (() => void)[] = [];
  #server: Server | undefined;
  #listenPort: number | undefined;
  #listenProblem: string | undefined;
  #convergence: Convergence | undefined;
  #kernelTimer: NodeJS.Timeout | undefined;
  #announced: string | undefined;
  #swept = false;
  /** Milliseconds that the last look at the kernel's table took. */
  #lookTook = 0;

  constructor(log: Log) {
    this.#log = log;
    const existing = this.#kernel.list();
    const left = existing.filter(({ protocol, metric }) => protocol === ROUTE_PROTOCOL && metric === ROUTE_METRIC);
    if (left.length > 0)
      log.info("found routes of an earlier run; they stay until the peers are back", { routes: left.length });
    this.speaker = new Speaker({ random: Math.random, restarting: left.length > 0 });
    this.forwarding = new Forwarding(this.#kernel, log);
    this.#loop = new SpeakerLoop({
      speaker: this.speaker,
      now: () => performance.now(),
      forward: (changes) => this.#forward(changes),
      event: (event) => this.#event(event),
    });
    this.#loop.tell({ kind: "underlay", routes: underlayOf(existing) });
    const look = () => this.#kernelChanged();
    this.#stops.push(watchKernel({ link: look, address: look, route: look, doubt: look }));
    const check = setInterval(() => this.#check(), CHECK_MS);
    this.#stops.push(() => clearInterval(check));
  }

  /** Why routing is not complete, in words; empty once it has been. */
  notReady(): string[] {
    if (this.#listenProblem !== undefined) return [this.#listenProblem];
    if (this.#convergence === undefined) return ["waiting for the configuration of peers"];
    const waiting = this.#convergence.waitingFor(this.speaker.neighbors, performance.now());
    if (waiting.length > 0) return waiting.map((what) => `waiting for ${what}`);
    return this.#swept ? [] : ["about to sweep what an earlier run left"];
  }

  /** The first call starts the sessions: whatever is to be announced must be known before. */
  setPeers(peers: readonly PeerConfig[], listenPort: number): void {
    if (listenPort !== this.#listenPort) void this.#listen(listenPort);
    this.#loop.tell({ kind: "peers", peers });
    this.#convergence ??= new Convergence(performance.now());
  }

  announce({ networks, blackholes }: Origination): void {
    // Asked after every pod; it differs only after a claim, a borrowed address or a change of pools.
    const text = [networks, blackholes].map((prefixes) => prefixes.map(formatPrefix).join(" ")).join(";");
    if (text === this.#announced) return;
    this.#announced = text;
    this.forwarding.setBlackholes(blackholes);
    this.#loop.tell({ kind: "networks", prefixes: networks });
  }

  /** Sessions end without a NOTIFICATION and kernel routes stay: peers and kernel go on until the agent is back. */
  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#kernelTimer);
    this.#server?.close();
    await this.#loop.stop();
    this.#kernel.close();
  }

  async #listen(port: number): Promise<void> {
    this.#listenPort = port;
    this.#server?.close();
    this.#server = undefined;
    try {
      this.#server = await listenTcp({ port, ttl: 255 });
      this.#listenProblem = undefined;
      this.#loop.serve(this.#server);
      this.#log.info("listening for BGP", { port });
    } catch (error) {
      const why =
        (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? "another program has it" : (error as Error).message;
      this.#listenProblem = `cannot listen on BGP port ${port}: ${why}; stop it or set listenPort in BGPConfiguration`;
      this.#log.error(this.#listenProblem);
      const retry = setTimeout(() => this.#listenPort === port && void this.#listen(port), LISTEN_RETRY_MS);
      retry.unref();
    }
  }

  #forward(changes: readonly ForwardingChange[]): void {
    this.forwarding.learn(
      changes.map(({ prefix, gateways }) => ({
        prefix,
        target: gateways === undefined ? undefined : { kind: "unicast" as const, nextHops: gateways },
      })),
    );
  }

  #kernelChanged(): void {
    this.#kernelTimer ??= setTimeout(
      () => {
        this.#kernelTimer = undefined;
        this.#lookAtKernel();
      },
      Math.max(KERNEL_QUIET_MS, LOOK_SHARE * this.#lookTook),
    );
  }

  #lookAtKernel(): void {
    const started = performance.now();
    const routes = this.#kernel.list();
    this.#loop.tell({ kind: "underlay", routes: underlayOf(routes) });
    const repaired = this.forwarding.compare(routes);
    if (repaired > 0) this.#log.info("kernel routes brought in line", { routes: repaired });
    this.#lookTook = performance.now() - started;
  }

  #check(): void {
    if (this.forwarding.hasRefused) this.#lookAtKernel();
    if (this.#swept || this.#convergence === undefined || this.speaker.rib.forwardingChangesPending) return;
    if (this.#convergence.waitingFor(this.speaker.neighbors, performance.now()).length > 0) return;
    this.#swept = true;
    const changed = this.forwarding.sweep(this.#kernel.list());
    this.speaker.endRestart();
    this.#log.info("routes are complete; what an earlier run left is swept", { routes: changed });
  }

  #event(event: SpeakerEvent): void {
    const { kind, ...fields } = event;
    if (kind === "session") this.#log.info(`session ${event.to}`, fields);
    else if (kind === "bad-update") this.#log.warn("malformed UPDATE", fields);
    else this.#log.info(kind, fields);
  }
}
