/** A watch as a test sees it: what it was told, beside what there is. */
import { expect } from "@jest/globals";
import { type Cluster, type KubeObject, keyOf, type Selection } from "./port.ts";

/** uid and labels of all that is selected, by what was told. */
export class Followed {
  readonly known = new Map<string, string>();
  readonly said: (string | undefined)[] = [];
  snapshots = 0;
  readonly watch;
  readonly #truth: Cluster;
  readonly #selection: Selection;

  /** What there is, the other client says. */
  constructor(cluster: Cluster, selection: Selection, truth: Cluster) {
    this.#truth = truth;
    this.#selection = selection;
    this.watch = cluster.watch(selection, textOf, {
      snapshot: (objects) => {
        this.snapshots++;
        this.known.clear();
        for (const [key, text] of objects) this.known.set(key, text);
      },
      change: (key, text) => void (text === undefined ? this.known.delete(key) : this.known.set(key, text)),
      health: (problem) => void this.said.push(problem),
    });
  }

  /** Until it knows what there is. */
  async agrees(): Promise<void> {
    for (const end = Date.now() + 20_000; ; ) {
      const there = await this.#truth.list(this.#selection);
      const wanted = there.map((object) => `${keyOf(object)} ${textOf(object)}`).sort();
      const known = [...this.known].map(([key, text]) => `${key} ${text}`).sort();
      if (this.watch.synced && JSON.stringify(wanted) === JSON.stringify(known)) return;
      if (Date.now() > end) expect({ known, said: this.said }).toEqual({ known: wanted, said: [] });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async says(what: RegExp): Promise<void> {
    await until(
      () => this.said.some((problem) => what.test(problem ?? "")),
      () => `it says ${this.said.join("; ")}`,
    );
  }
}

function textOf({ metadata: { uid, labels, deletionTimestamp } }: KubeObject): string {
  return JSON.stringify([uid, labels, deletionTimestamp !== undefined]);
}

export async function until(what: () => boolean | Promise<boolean>, words: () => string): Promise<void> {
  for (const end = Date.now() + 20_000; !(await what()); ) {
    if (Date.now() > end) throw new Error(`waited for nothing: ${words()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
