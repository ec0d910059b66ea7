/**
 * Services of the cluster and their endpoints, followed as long as the configuration has ranges of theirs to announce.
 *
 * At the start the first session waits until they are known, a while at most: the first thing a peer hears is
 * everything, and it withdraws nothing that it kept for us. While the API server is away the last known goes on, over a
 * restart too.
 */
import { type Cluster, ENDPOINT_SLICES, SERVICES, type Selection, type Watch } from "../cluster/port.ts";
import { allServiceRanges } from "../config/services.ts";
import { isSingle, type Terms, whyExcluded } from "../services/judge.ts";
import { keepService, type ServiceObject } from "../services/service.ts";
import { type Changes, Services, type ServiceView } from "../services/services.ts";
import { keepSlice, type SliceObject } from "../services/slice.ts";
import type { Log } from "../telemetry/log.ts";
import type { Configured } from "./configuration.ts";
import { readRemembered, writeRemembered } from "./remembered-services.ts";

/** How long the first session waits for the API server: well within what peers keep for us (RFC 4724). */
const PATIENCE_MS = 10_000;
/** A change is on disk after so long (a kill before that forgets it), but no sooner than so long after the last. */
const WRITE_AFTER_MS = 20;
const WRITE_EVERY_MS = 500;
const MOST_PROBLEMS = 20;
const NO_KUBERNETES =
  "service ranges are announced, but no single address of a service: this agent knows no Kubernetes; set kubernetes.*";

export interface ServicesPorts {
  /** Undefined: there is no Kubernetes, and only the ranges themselves can be announced. */
  readonly cluster: Cluster | undefined;
  readonly nodeName: string;
  readonly stateDir: string;
  readonly log: Log;
  announce(changes: Changes): void;
  /** Services are known now, or are no longer waited for. */
  settled(): void;
  /** Of {@link PATIENCE_MS}, for tests. */
  readonly patienceMs?: number;
}

type Source = "services" | "endpointslices";

export class ServiceRoutes {
  readonly #ports: ServicesPorts;
  readonly #services = new Services();
  readonly #watches = new Map<Source, Watch>();
  readonly #known = new Set<Source>();
  readonly #health = new Map<Source, string>();
  #terms = "";
  #missing: readonly string[] = [];
  #settled = false;
  #planned = false;
  #patience: NodeJS.Timeout | undefined;
  #writing: NodeJS.Timeout | undefined;
  #wroteAt = Number.NEGATIVE_INFINITY;
  #writeProblem: string | undefined;

  constructor(ports: ServicesPorts) {
    this.#ports = ports;
    this.#services.remember(readRemembered(ports.stateDir));
  }

  /** True: what there is to announce is known, or is no longer waited for. */
  get settled(): boolean {
    return this.#settled;
  }

  get notReady(): string[] {
    return this.#settled || this.#terms === "" ? [] : ["waiting for the services of the cluster"];
  }

  /** For the metrics. */
  get announced() {
    const followed = this.#watches.size === 0 ? undefined : this.#known.size === 2 && this.#health.size === 0;
    return { routes: this.#services.routes, followed };
  }

  get problems(): string[] {
    const away = [...this.#health].map(([source, words]) => `${source}: ${words}; going on with what is known`);
    const unwritten = this.#writeProblem === undefined ? [] : [this.#writeProblem];
    const all = [...this.#missing, ...away, ...this.#services.problems(), ...unwritten];
    const more = all.length - MOST_PROBLEMS;
    return more > 0 ? [...all.slice(0, MOST_PROBLEMS), `and ${more} more: overland services`] : all;
  }

  configure({ node: { services: settings }, labels }: Configured, drained = false): void {
    const terms: Terms = { settings, excluded: whyExcluded(labels, drained) };
    const text = JSON.stringify([settings, [...settings.communities], terms.excluded]);
    if (text !== this.#terms) {
      this.#terms = text;
      this.#services.configure(terms);
      this.#soon();
    }
    const { cluster } = this.#ports;
    const wanted = allServiceRanges(settings).length > 0;
    this.#missing = wanted && cluster === undefined ? [NO_KUBERNETES] : [];
    if (wanted && cluster !== undefined) return this.#follow(cluster);
    this.#unfollow();
    this.#settle();
  }

  /** Each service and why its addresses are announced or not. */
  view(): Iterable<ServiceView> {
    return this.#services.view();
  }

  explain(...[prefix]: Parameters<Services["explain"]>): string[] {
    return this.#services.explain(prefix);
  }

  stop(): void {
    clearTimeout(this.#patience);
    for (const watch of this.#watches.values()) watch.stop();
    if (this.#writing !== undefined) this.#write();
  }

  #follow(cluster: Cluster): void {
    if (this.#watches.size > 0) return;
    if (!this.#settled) this.#patience = setTimeout(() => this.#giveUp(), this.#ports.patienceMs ?? PATIENCE_MS);
    const services = this.#services;
    this.#watch(cluster, "services", { type: SERVICES }, keepService, {
      all: (known) => services.setServices(known),
      one: (key, service) => services.setService(key, service),
    });
    const keep = (slice: SliceObject) => keepSlice(slice, this.#ports.nodeName);
    this.#watch(cluster, "endpointslices", { type: ENDPOINT_SLICES }, keep, {
      all: (known) => services.setSlices(known),
      one: (key, slice) => services.setSlice(key, slice),
    });
  }

  #watch<T extends ServiceObject | SliceObject, Kept>(
    cluster: Cluster,
    source: Source,
    selection: Selection,
    keep: (object: T) => Kept,
    to: { all(known: ReadonlyMap<string, Kept>): void; one(key: string, kept: Kept | undefined): void },
  ): void {
    const watch = cluster.watch(selection, keep as never, {
      snapshot: (known: ReadonlyMap<string, Kept>) => {
        to.all(known);
        this.#ports.log.info(`${source} read`, { count: known.size });
        this.#known.add(source);
        if (this.#known.size === 2) this.#allKnown();
        this.#soon();
      },
      change: (key: string, kept: Kept | undefined) => {
        to.one(key, kept);
        this.#soon();
      },
      health: (problem) => {
        if (problem === undefined) this.#health.delete(source);
        else {
          if (!this.#health.has(source)) this.#ports.log.warn(`${source} cannot be followed`, { problem });
          this.#health.set(source, problem);
        }
      },
    });
    this.#watches.set(source, watch);
  }

  /** No range is announced any more: nothing is asked of the API server, nor kept. */
  #unfollow(): void {
    if (this.#watches.size === 0) return;
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
    this.#known.clear();
    this.#health.clear();
    this.#services.setServices(new Map());
    this.#services.setSlices(new Map());
    this.#writeSoon();
  }

  #allKnown(): void {
    this.#services.remember([]);
    this.#soon();
    this.#settle();
  }

  #giveUp(): void {
    if (this.#settled) return;
    this.#ports.log.warn("services are not known yet; announcing what was announced before this start");
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#patience);
    if (this.#settled) return;
    this.#tell();
    this.#settled = true;
    this.#ports.settled();
  }

  /** What is heard in one go is told in one go. */
  #soon(): void {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#planned = false;
    const changes = this.#services.take();
    const [announced, withdrawn] = [changes.announced.length, changes.withdrawn.length];
    if (announced + withdrawn === 0) return;
    this.#ports.log.debug("routes of services change", { announced, withdrawn });
    this.#ports.announce(changes);
    if (this.#known.size === 2) this.#writeSoon();
  }

  #writeSoon(): void {
    const wait = Math.max(WRITE_AFTER_MS, this.#wroteAt + WRITE_EVERY_MS - performance.now());
    this.#writing ??= setTimeout(() => this.#write(), wait);
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    this.#wroteAt = performance.now();
    try {
      writeRemembered(this.#ports.stateDir, this.#services.announced().filter(isSingle));
      this.#writeProblem = undefined;
    } catch (error) {
      const words = `announced services cannot be remembered for a restart: ${(error as Error).message}`;
      if (words !== this.#writeProblem) this.#ports.log.warn(words);
      this.#writeProblem = words;
    }
  }
}
