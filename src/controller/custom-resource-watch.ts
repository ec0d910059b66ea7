/** The custom resources of every kind as the API server tells them, each kind with its definition. */
import { type Cluster, ClusterError, type KubeObject, type Watch } from "../cluster/port.ts";
import type { Log } from "../telemetry/log.ts";
import {
  type CustomResource,
  definitionOf,
  keptOf,
  REFLECTED,
  type ReflectedKind,
  typeOf,
} from "./custom-resources.ts";
import type { KnownKind } from "./judge.ts";
import { WatchHealth } from "./watch-health.ts";

/** What the API server says of a CustomResourceDefinition. */
export type Definition = { readonly uid: string } | { readonly absent: string; readonly going: boolean };

interface Followed {
  readonly watch: Watch;
  objects: Map<string, CustomResource> | undefined;
  definition: string | undefined;
  /** Why the watch is not up to date. */
  lost: string | undefined;
  /** Why the definition is not known. */
  undefinedAs: string | undefined;
  /** The definition is being removed, and its objects with it. */
  going: boolean;
}

export class CustomResourceWatch {
  readonly #cluster: Cluster;
  readonly #followed = new Map<ReflectedKind, Followed>();
  readonly #health: WatchHealth | undefined;

  /**
   * @param changed something may be different: called once for each thing told
   * @param log told which kinds cannot be followed, and when they can again
   */
  constructor(cluster: Cluster, changed: () => void, log?: Log) {
    this.#health = log && new WatchHealth(log);
    this.#cluster = cluster;
    for (const kind of REFLECTED) this.#follow(kind, changed);
  }

  stop(): void {
    for (const { watch } of this.#followed.values()) watch.stop();
    this.#health?.stop();
  }

  /** Kinds that cannot be followed just now, and why. */
  problems(): ReadonlyMap<ReflectedKind, string> {
    const found = [...this.#followed].flatMap(([kind, { objects, lost, undefinedAs }]): [ReflectedKind, string][] => {
      const problem = lost ?? undefinedAs ?? (objects === undefined ? "not read yet" : undefined);
      return problem === undefined ? [] : [[kind, problem]];
    });
    return new Map(found);
  }

  /** Those whose objects and definition are known. Definitions that are not known yet are asked for. */
  async known(): Promise<Map<ReflectedKind, KnownKind>> {
    const known = await Promise.all([...this.#followed].map(([kind, followed]) => this.#knownKind(kind, followed)));
    return new Map(known.filter((one) => one !== undefined));
  }

  /** Why objects that are known cannot be judged: their definition is not known. */
  undefinedKinds(): string[] {
    return [...this.#followed.values()].flatMap(({ undefinedAs, objects }) =>
      undefinedAs === undefined || objects === undefined ? [] : undefinedAs,
    );
  }

  /** Of a kind whose definition is being removed. */
  goingPools(): CustomResource[] {
    const { going = false, objects } = this.#followed.get("IPPool") ?? {};
    return going ? [...(objects?.values() ?? [])] : [];
  }

  async #knownKind(kind: ReflectedKind, followed: Followed): Promise<[ReflectedKind, KnownKind] | undefined> {
    const { objects } = followed;
    if (objects === undefined) return undefined;
    if (followed.definition === undefined) {
      const found = await this.definition(kind).catch((error: unknown): Definition => {
        return { absent: (error as Error).message, going: false };
      });
      // A snapshot that came meanwhile may be of another one.
      if (followed.objects !== objects) return undefined;
      followed.undefinedAs = "absent" in found ? found.absent : undefined;
      followed.going = "absent" in found && found.going;
      if ("absent" in found) return undefined;
      followed.definition = found.uid;
    }
    return [kind, { definition: followed.definition, objects: new Map(objects) }];
  }

  /** Asked now. Throws ClusterError. */
  async definition(kind: ReflectedKind): Promise<Definition> {
    const ref = definitionOf(kind);
    const found = await this.#cluster.get<KubeObject>(ref);
    const name = `the CustomResourceDefinition ${ref.name}`;
    if (found === undefined) return { absent: `${name} is not there; install it`, going: false };
    const { uid = "", deletionTimestamp } = found.metadata;
    return deletionTimestamp === undefined ? { uid } : { absent: `${name} is being removed`, going: true };
  }

  /** Names of those there are, asked now. Throws ClusterError. */
  async names(kind: ReflectedKind): Promise<ReadonlySet<string>> {
    const objects = await this.#cluster.list<CustomResource>({ type: typeOf(kind) });
    return new Set(objects.map(({ metadata }) => metadata.name));
  }

  /** One of them, asked now; undefined: there is none. Throws ClusterError. */
  async ask(kind: ReflectedKind, name: string): Promise<CustomResource | undefined> {
    try {
      const found = await this.#cluster.get<CustomResource>({ type: typeOf(kind), name });
      return found && keptOf(found);
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return undefined;
      throw error;
    }
  }

  #follow(kind: ReflectedKind, changed: () => void): void {
    const say = this.#health?.of(kind);
    const watch = this.#cluster.watch<CustomResource, CustomResource>({ type: typeOf(kind) }, keptOf, {
      snapshot(objects) {
        followed.objects = new Map(objects);
        followed.definition = undefined;
        followed.lost = undefined;
        changed();
      },
      change(key, object) {
        if (object === undefined) followed.objects?.delete(key);
        else followed.objects?.set(key, object);
        // It may be the first of a new definition: a watch can outlive the old one.
        followed.definition = undefined;
        changed();
      },
      health(problem) {
        followed.lost = problem;
        say?.(problem);
        followed.definition = undefined;
        changed();
      },
    });
    const unknown = {
      objects: undefined,
      definition: undefined,
      lost: undefined,
      undefinedAs: undefined,
      going: false,
    };
    const followed: Followed = { watch, ...unknown };
    this.#followed.set(kind, followed);
  }
}
