/** The update group of peers that get the best path of each prefix: all but those with add-path. */
import { NO_SET } from "./attribute-table.ts";
import { NO_OUTCOME } from "./export-outcomes.ts";
import type { Member } from "./member.ts";
import { NO_PATH } from "./paths.ts";
import { grown } from "./prefix-table.ts";
import { NOBODY, type Segment } from "./update-batch.ts";
import { BATCH, UpdateGroup } from "./update-group.ts";

const NO_IDS: readonly number[] = [];

export class BestPathGroup extends UpdateGroup {
  /** By prefix: the set it was announced with (as it is in the RIB), plus one; 0: not announced. */
  #announced = new Int32Array(0);
  /** And the source of that path: who has not heard of it. */
  #from = new Int32Array(0);
  #count = 0;
  readonly #countBySource: number[] = [];

  countFor(source: number): number {
    return this.#count - (this.#countBySource[source] ?? 0);
  }

  announcedTo(source: number, prefix: number) {
    const set = this.#setOf(prefix);
    return set === NO_SET || this.#from[prefix] === source
      ? []
      : [{ pathId: 0, set, from: this.#from[prefix] as number }];
  }

  dissolve(): void {
    for (const prefix of [...this.announcedPrefixes()]) this.#setAnnounced(prefix, NO_SET, 0);
  }

  *announcedPrefixes(): IterableIterator<number> {
    for (let prefix = 0; prefix < this.#announced.length; prefix++) if (this.#announced[prefix] !== 0) yield prefix;
  }

  protected packPending(): Segment[] {
    this.beginBatch(this.#count);
    /** Prefixes to withdraw, by the source that never heard of them. */
    const withdrawn = new Map<number, number[]>();
    /** Prefixes to withdraw from one member, whose own path is the best now. */
    const returned = new Map<number, number[]>();
    const undecided: number[] = [];
    for (let n = 0; n < BATCH; n++) {
      const prefix = this.pending.take();
      if (prefix < 0) break;
      // Its best path may be gone already: it is looked at once it is decided.
      if (this.rib.marked.has(prefix)) undecided.push(prefix);
      else this.#place(prefix, withdrawn, returned);
    }
    for (const prefix of undecided) this.pending.add(prefix);
    for (const [from, prefixes] of withdrawn) this.batch.withdraw(prefixes, NO_IDS, from, NOBODY);
    for (const [member, prefixes] of returned) this.batch.withdraw(prefixes, NO_IDS, NOBODY, member);
    for (const prefixes of withdrawn.values()) for (const prefix of prefixes) this.#setAnnounced(prefix, NO_SET, 0);
    this.endBatch();
    const { set, from } = this.outcomes;
    return this.batch.write(
      (source) => this.members.has(source),
      (prefix, _pathId, outcome) => {
        this.#setAnnounced(prefix, set[outcome] as number, from[outcome] as number);
        this.missed(prefix);
      },
    );
  }

  protected packLag(member: Member): void {
    this.batch.begin();
    const taken: number[] = [];
    const withdrawn: number[] = [];
    for (let n = 0; n < BATCH; n++) {
      const prefix = member.lag.take();
      if (prefix < 0) break;
      taken.push(prefix);
      const set = this.#setOf(prefix);
      const from = this.#from[prefix] as number;
      const own = set === NO_SET || from === member.source;
      const outcome = own ? NO_OUTCOME : this.outcomes.of(set, from, prefix);
      if (outcome === NO_OUTCOME || !this.batch.announce(prefix, 0, outcome)) withdrawn.push(prefix);
    }
    this.batch.withdraw(withdrawn, NO_IDS, NOBODY, NOBODY);
    this.batch.write(
      () => false,
      () => undefined,
    );
    for (const prefix of taken) this.rib.unhold(prefix);
  }

  /** What has to be told of one decided prefix. */
  #place(prefix: number, withdrawn: Map<number, number[]>, returned: Map<number, number[]>): void {
    const best = this.rib.best(prefix);
    const had = this.#setOf(prefix) !== NO_SET;
    const outcome = best === NO_PATH ? NO_OUTCOME : this.#outcomeOf(best, prefix, had);
    if (outcome !== NO_OUTCOME && this.batch.announce(prefix, 0, outcome)) {
      const from = this.rib.paths.source(best);
      if (!had) this.room--;
      if (had && this.#from[prefix] !== from && this.members.has(from)) push(returned, from, prefix);
    } else if (had) {
      this.room++;
      push(withdrawn, this.#from[prefix] as number, prefix);
      this.missed(prefix);
    } else if (best === NO_PATH) this.rib.releaseIfUnused(prefix);
  }

  #outcomeOf(best: number, prefix: number, had: boolean): number {
    if (!had && !this.hasRoom(prefix)) return NO_OUTCOME;
    const { paths } = this.rib;
    return this.outcomes.of(paths.inForce(best), paths.source(best), prefix);
  }

  #setOf(prefix: number): number {
    return prefix < this.#announced.length ? (this.#announced[prefix] as number) - 1 : NO_SET;
  }

  #setAnnounced(prefix: number, set: number, from: number): void {
    if (prefix >= this.#announced.length) {
      const length = Math.max(1024, this.#announced.length * 2, prefix + 1);
      this.#announced = grown(this.#announced, length);
      this.#from = grown(this.#from, length);
    }
    const before = this.#setOf(prefix);
    if (set !== NO_SET) {
      this.attributes.retain(set);
      this.#add(from, 1);
    }
    this.#announced[prefix] = set + 1;
    if (before !== NO_SET) {
      this.attributes.release(before);
      this.#add(this.#from[prefix] as number, -1);
    }
    this.#from[prefix] = from;
    if (set !== NO_SET && before === NO_SET) this.rib.hold(prefix);
    else if (set === NO_SET && before !== NO_SET) this.rib.unhold(prefix);
  }

  #add(source: number, change: number): void {
    this.#count += change;
    this.#countBySource[source] = (this.#countBySource[source] ?? 0) + change;
  }
}

function push(lists: Map<number, number[]>, key: number, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
