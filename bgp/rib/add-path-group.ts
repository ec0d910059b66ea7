/**
 * The update group of peers that get every usable path of a prefix, each under an identifier (RFC 7911).
 *
 * The identifier is the path's row in the RIB, plus one: it stays for as long as the path does.
 */
import { NO_OUTCOME } from "./export-outcomes.ts";
import type { Member } from "./member.ts";
import { NO_PATH } from "./paths.ts";
import { NOBODY, type Segment } from "./update-batch.ts";
import { BATCH, UpdateGroup } from "./update-group.ts";

/** One announced path. */
interface Announced {
  readonly pathId: number;
  readonly set: number;
  readonly from: number;
  /** The peer's BGP Identifier, which may go out with it. */
  readonly peerId: number;
}

const NONE: readonly Announced[] = [];

/** Paths to withdraw, as parallel lists, from all but one source. */
class Withdrawals {
  readonly #bySource = new Map<number, { readonly prefixes: number[]; readonly pathIds: number[] }>();

  add(except: number, prefix: number, pathId: number): void {
    let lists = this.#bySource.get(except);
    if (lists === undefined) {
      lists = { prefixes: [], pathIds: [] };
      this.#bySource.set(except, lists);
    }
    lists.prefixes.push(prefix);
    lists.pathIds.push(pathId);
  }

  *[Symbol.iterator]() {
    for (const [except, { prefixes, pathIds }] of this.#bySource) yield { except, prefixes, pathIds };
  }
}

export class AddPathGroup extends UpdateGroup {
  readonly #announced = new Map<number, readonly Announced[]>();
  #count = 0;
  readonly #countBySource: number[] = [];

  countFor(source: number): number {
    return this.#count - (this.#countBySource[source] ?? 0);
  }

  announcedTo(source: number, prefix: number): readonly Announced[] {
    return (this.#announced.get(prefix) ?? NONE).filter(({ from }) => from !== source);
  }

  dissolve(): void {
    for (const prefix of [...this.#announced.keys()]) this.#setAnnounced(prefix, NONE);
  }

  announcedPrefixes(): IterableIterator<number> {
    return this.#announced.keys();
  }

  protected packPending(): Segment[] {
    this.beginBatch(this.#announced.size);
    const withdrawals = new Withdrawals();
    const states = new Map<number, readonly Announced[]>();
    const undecided: number[] = [];
    for (let n = 0; n < BATCH; n++) {
      const prefix = this.pending.take();
      if (prefix < 0) break;
      if (this.rib.marked.has(prefix)) undecided.push(prefix);
      else states.set(prefix, this.#place(prefix, withdrawals));
    }
    for (const prefix of undecided) this.pending.add(prefix);
    this.endBatch();
    for (const { except, prefixes, pathIds } of withdrawals) this.batch.withdraw(prefixes, pathIds, except, NOBODY);
    const segments = this.batch.write(
      (source) => this.members.has(source),
      () => undefined,
    );
    for (const [prefix, state] of states) {
      // First: who missed it needs the prefix's number, which may be free once nothing is announced.
      this.missed(prefix);
      this.#setAnnounced(prefix, state);
      if (state.length === 0) this.rib.releaseIfUnused(prefix);
    }
    return segments;
  }

  protected packLag(member: Member): void {
    this.batch.begin();
    const taken: number[] = [];
    const withdrawals = new Withdrawals();
    for (let n = 0; n < BATCH; n++) {
      const prefix = member.lag.take();
      if (prefix < 0) break;
      taken.push(prefix);
      const now = this.announcedTo(member.source, prefix);
      for (const { pathId, set, from } of now) {
        const outcome = this.outcomes.of(set, from, prefix);
        if (outcome !== NO_OUTCOME) this.batch.announce(prefix, pathId, outcome);
      }
      for (const pathId of member.missedPaths(prefix)) {
        if (!now.some((one) => one.pathId === pathId)) withdrawals.add(NOBODY, prefix, pathId);
      }
    }
    for (const { prefixes, pathIds } of withdrawals) this.batch.withdraw(prefixes, pathIds, NOBODY, NOBODY);
    this.batch.write(
      () => false,
      () => undefined,
    );
    for (const prefix of taken) this.rib.unhold(prefix);
  }

  /** Compares what was announced with what should be; returns the latter. */
  #place(prefix: number, withdrawals: Withdrawals): readonly Announced[] {
    const before = this.#announced.get(prefix) ?? NONE;
    const after: Announced[] = [];
    const had = before.length > 0;
    for (const one of had || this.hasRoom(prefix) ? this.#wanted(prefix) : NONE) {
      const { pathId, set, from, peerId } = one;
      const known = before.find((other) => other.pathId === pathId);
      const same = known?.set === set && known.from === from && known.peerId === peerId;
      // The row stands for a path of another source now: that one gets its own path not back, but rid of the old one.
      if (known !== undefined && known.from !== from) withdrawals.add(known.from, prefix, pathId);
      const outcome = this.outcomes.of(set, from, prefix);
      const announced = outcome !== NO_OUTCOME && (same || this.batch.announce(prefix, pathId, outcome));
      if (announced) after.push(one);
    }
    for (const { pathId, from } of before) {
      if (!after.some((one) => one.pathId === pathId)) withdrawals.add(from, prefix, pathId);
    }
    const has = after.length > 0;
    if (has !== had) this.room += has ? -1 : 1;
    for (const member of this.members.values()) {
      if (member.lags)
        member.missPaths(
          prefix,
          before.map(({ pathId }) => pathId),
        );
    }
    return after;
  }

  *#wanted(prefix: number): IterableIterator<Announced> {
    const { paths } = this.rib;
    for (let path = paths.first(prefix); path !== NO_PATH; path = paths.next(path)) {
      if (!this.isCandidate(path)) continue;
      const from = paths.source(path);
      yield { pathId: path + 1, set: paths.inForce(path), from, peerId: this.peerIdOf(from) };
    }
  }

  #setAnnounced(prefix: number, state: readonly Announced[]): void {
    const before = this.#announced.get(prefix) ?? NONE;
    for (const { set, from } of state) {
      this.attributes.retain(set);
      this.#add(from, 1);
    }
    for (const { set, from } of before) {
      this.attributes.release(set);
      this.#add(from, -1);
    }
    if (state.length > 0) this.#announced.set(prefix, state);
    else this.#announced.delete(prefix);
    if (state.length > 0 && before.length === 0) this.rib.hold(prefix);
    else if (state.length === 0 && before.length > 0) this.rib.unhold(prefix);
  }

  #add(source: number, change: number): void {
    this.#count += change;
    this.#countBySource[source] = (this.#countBySource[source] ?? 0) + change;
  }
}
