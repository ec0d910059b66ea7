/** Labels of namespaces, followed while pools ask for them: who needs none asks the API server for none. */
import type { Labels } from "../../ipam/selector.ts";
import { type Cluster, type KubeObject, NAMESPACES, type Watch } from "../cluster/port.ts";
import type { WatchHealth } from "./watch-health.ts";

const NONE: Labels = {};

export class NamespaceLabels {
  readonly #cluster: Cluster;
  readonly #health: WatchHealth;
  readonly #changed: () => void;
  #watch: Watch | undefined;
  #known: Map<string, Labels> | undefined;
  #problem: string | undefined;

  constructor(cluster: Cluster, health: WatchHealth, changed: () => void) {
    this.#cluster = cluster;
    this.#health = health;
    this.#changed = changed;
  }

  /** False: they will be there in a moment. They are not waited for where they cannot be had. */
  get settled(): boolean {
    return this.#watch === undefined || this.#known !== undefined || this.#problem !== undefined;
  }

  /** Undefined: not known. */
  of(namespace: string): Labels | undefined {
    return this.#known === undefined ? undefined : (this.#known.get(namespace) ?? NONE);
  }

  follow(wanted: boolean): void {
    if (!wanted) this.stop();
    if (!wanted || this.#watch !== undefined) return;
    const keep = ({ metadata: { labels = NONE } }: KubeObject): Labels => labels;
    const said = this.#health.of("namespaces");
    this.#watch = this.#cluster.watch({ type: NAMESPACES }, keep, {
      snapshot: (namespaces) => {
        this.#known = new Map(namespaces);
        this.#changed();
      },
      change: (name, labels) => {
        if (labels === undefined) this.#known?.delete(name);
        else this.#known?.set(name, labels);
        this.#changed();
      },
      health: (problem) => {
        this.#problem = problem;
        said(problem);
        this.#changed();
      },
    });
  }

  stop(): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#known = undefined;
    this.#problem = undefined;
  }
}
