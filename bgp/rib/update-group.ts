/**
 * Peers that are told the same: what to tell is decided, filtered and encoded once, and the same octets go to all.
 *
 * A member that takes nothing for a while does not hold up the others: from then on the prefixes it misses are noted
 * (a mark each) and told from the group's state when it takes octets again. So a slow peer costs little memory, and it
 * never hears an intermediate state. A member that joins later is caught up in the same way.
 */
import type { ExportTerms } from "../policy/export-terms.ts";
import { UpdateWriter } from "../wire/encode-update.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { Decision } from "./decision.ts";
import { ExportOutcomes } from "./export-outcomes.ts";
import type { FamilyRib } from "./family-rib.ts";
import { Marks } from "./marks.ts";
import type { Member } from "./member.ts";
import type { Sources } from "./sources.ts";
import { type Segment, UpdateBatch } from "./update-batch.ts";

/** Prefixes looked at in one go: some ten milliseconds. */
export const BATCH = 16_384;
/** How long a group waits for a member that takes nothing. */
const PATIENCE_MS = 200;

export interface GroupParts {
  readonly attributes: AttributeTable;
  readonly sources: Sources;
  readonly decision: Decision;
}

export abstract class UpdateGroup {
  readonly terms: ExportTerms;
  readonly pending = new Marks();
  readonly members = new Map<number, Member>();
  /** Members that may be owed something that the others have: few, where idle peers are many. */
  readonly #owed = new Set<Member>();
  protected readonly rib: FamilyRib;
  protected readonly attributes: AttributeTable;
  protected readonly writer: UpdateWriter;
  protected readonly batch: UpdateBatch;
  readonly outcomes: ExportOutcomes;
  /** Nothing is ever announced: changes need not be looked at. */
  readonly isMute: boolean;
  /** How many prefixes more the limit lets through, in the batch at hand. */
  protected room = Number.POSITIVE_INFINITY;
  /** Prefixes left out for the limit: looked at again once there is room. */
  readonly #leftOut = new Marks();
  readonly #decision: Decision;
  readonly #sources: Sources;
  #blockedSince: number | undefined;

  constructor(terms: ExportTerms, rib: FamilyRib, { attributes, sources, decision }: GroupParts) {
    this.terms = terms;
    this.#decision = decision;
    this.#sources = sources;
    this.rib = rib;
    this.attributes = attributes;
    this.writer = new UpdateWriter(terms.maxMessageLength);
    this.outcomes = new ExportOutcomes(terms, rib.prefixes, attributes, sources);
    this.batch = new UpdateBatch(rib, this.writer, this.outcomes, terms);
    this.isMute = terms.chain.filters.length === 0 && terms.chain.otherwise === "Reject";
    if (!this.isMute) for (const id of rib.prefixes.ids()) this.pending.add(id);
  }

  /** How many prefixes (or paths) a member has from us. */
  abstract countFor(source: number): number;
  /** What a member was told of a prefix: sets, by path identifier (0 without add-path). */
  abstract announcedTo(
    source: number,
    prefix: number,
  ): readonly { readonly pathId: number; readonly set: number; readonly from: number }[];
  /** Looks at pending prefixes, at most BATCH; fills the writer and returns who gets what. */
  protected abstract packPending(): Segment[];
  /** Fills the writer with what a member missed, at most BATCH prefixes. */
  protected abstract packLag(member: Member): void;
  /** Every prefix that some member may have from us. */
  abstract announcedPrefixes(): IterableIterator<number>;
  /** No member is left: gives back what is held. */
  abstract dissolve(): void;

  join(member: Member): void {
    this.members.set(member.source, member);
    this.tellAll(member);
    // What a new group has not looked at yet would be taken for withdrawn.
    if (member.lags) member.waits = this.pending.size > 0;
  }

  leave(member: Member): void {
    this.members.delete(member.source);
    this.#owed.delete(member);
    if (member.moves) {
      member.moves = false;
      return;
    }
    for (let prefix = member.lag.take(); prefix >= 0; prefix = member.lag.take()) this.rib.unhold(prefix);
  }

  /** The member is about to join another group: what it has from this one is to be put right there. */
  handOver(member: Member): void {
    member.moves = true;
    for (const prefix of this.announcedPrefixes()) {
      this.#miss(member, prefix);
      if (!this.terms.addPath) continue;
      member.missPaths(
        prefix,
        this.announcedTo(member.source, prefix).map(({ pathId }) => pathId),
      );
    }
    member.lags = member.lag.size > 0;
  }

  /** End-of-RIB is not held back any more. */
  endHold(member: Member): void {
    member.holdsEndOfRib = false;
    this.#owed.add(member);
  }

  /** The member is to be told everything (again). */
  tellAll(member: Member): void {
    for (const prefix of this.announcedPrefixes()) this.#miss(member, prefix);
    member.lags = member.lag.size > 0;
    this.#owed.add(member);
  }

  /** Whether {@link work} has something to do now or, infinity apart, when. */
  nextDue(now: number): number {
    if (this.pending.size > 0) {
      return this.#blockedSince === undefined ? now : this.#blockedSince + PATIENCE_MS;
    }
    for (const { congested } of this.#owed) if (!congested) return now;
    return Number.POSITIVE_INFINITY;
  }

  work(now: number): void {
    if (this.pending.size > 0 && this.#mayGoOn(now)) this.#deliver(this.packPending());
    for (const member of this.#owed) {
      if (this.pending.size === 0 && this.rib.marked.size === 0) member.waits = false;
      if (member.congested || member.waits) continue;
      if (member.lags) this.#catchUp(member);
      if (!member.lags && this.pending.size === 0 && this.rib.marked.size === 0) this.#finish(member);
    }
  }

  protected beginBatch(announced: number): void {
    this.batch.begin();
    this.room = (this.terms.limit ?? Number.POSITIVE_INFINITY) - announced;
  }

  /** Whether a prefix that is not announced may be; it is left out otherwise. */
  protected hasRoom(prefix: number): boolean {
    if (this.room > 0) return true;
    this.#leftOut.add(prefix);
    return false;
  }

  protected endBatch(): void {
    for (let room = this.room; room > 0 && this.#leftOut.size > 0; room--) this.pending.add(this.#leftOut.take());
  }

  #mayGoOn(now: number): boolean {
    let blocked = false;
    for (const member of this.members.values()) if (!member.lags && member.congested) blocked = true;
    if (!blocked) {
      this.#blockedSince = undefined;
      return true;
    }
    this.#blockedSince ??= now;
    if (now - this.#blockedSince < PATIENCE_MS) return false;
    this.#blockedSince = undefined;
    for (const member of this.members.values()) {
      if (!member.congested) continue;
      member.lags = true;
      this.#owed.add(member);
    }
    return true;
  }

  /** A prefix changed: members that lag are told later. */
  protected missed(prefix: number): void {
    if (this.#owed.size === 0) return;
    for (const member of this.#owed) if (member.lags) this.#miss(member, prefix);
  }

  #miss(member: Member, prefix: number): void {
    // The number has to go on standing for this prefix until the member has heard of it.
    if (member.lag.add(prefix)) this.rib.hold(prefix);
  }

  #catchUp(member: Member): void {
    this.packLag(member);
    const { messages } = this.writer;
    const octets = this.writer.take();
    if (octets.length > 0) member.send(octets, messages);
    if (member.lag.size === 0) member.lags = false;
  }

  #finish(member: Member): void {
    this.#owed.delete(member);
    if (member.endOfRibDue && !member.holdsEndOfRib) {
      member.endOfRibDue = false;
      this.writer.endOfRib(this.terms.family);
      member.send(this.writer.take(), 1);
    }
    if (member.refreshEndDue) {
      member.refreshEndDue = false;
      member.refreshed(this.terms.family);
    }
  }

  #deliver(segments: readonly Segment[]): void {
    const total = this.writer.messages;
    const octets = this.writer.take();
    if (octets.length === 0) return;
    for (const member of this.members.values()) {
      if (member.lags) continue;
      const concerns = ({ except, only }: Segment) => except !== member.source && (only < 0 || only === member.source);
      if (segments.every(concerns)) {
        member.send(octets, total);
        continue;
      }
      for (let i = 0; i < segments.length; ) {
        if (!concerns(segments[i] as Segment)) {
          i++;
          continue;
        }
        const { start } = segments[i] as Segment;
        let { end, messages } = segments[i++] as Segment;
        for (; i < segments.length && concerns(segments[i] as Segment); i++) {
          end = (segments[i] as Segment).end;
          messages += (segments[i] as Segment).messages;
        }
        member.send(octets.subarray(start, end), messages);
      }
    }
  }

  /** The BGP Identifier of a source, as a number. */
  protected peerIdOf(source: number): number {
    return this.#sources.peerId[source] as number;
  }

  /** Whether a path takes part in the decision at all. */
  protected isCandidate(path: number): boolean {
    return this.#decision.isCandidate(this.rib.paths, path);
  }
}
