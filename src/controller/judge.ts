/**
 * Which custom resources are in order, and what the store is to hold for them. Pure: what the API server says and what
 * the store holds go in, so that a restart, a second controller or a lost call changes nothing of the answer.
 */
import { crossFaults } from "../config/cross-rules.ts";
import type { Fault } from "../config/fault.ts";
import { originOf, ownershipFault, sameContent } from "../config/managed.ts";
import type { SourcedResource } from "../config/manifest.ts";
import type { Resource } from "../config/resource.ts";
import { type CustomResource, isLeaving, REFLECTED, type Read, type ReflectedKind } from "./custom-resources.ts";

/** A kind whose objects and definition are known; of others nothing is judged, and nothing is touched. */
export interface KnownKind {
  /** UID of the CustomResourceDefinition. */
  readonly definition: string;
  readonly objects: ReadonlyMap<string, CustomResource>;
}

export type KnownKinds = ReadonlyMap<ReflectedKind, KnownKind>;

export interface Verdict {
  readonly kind: ReflectedKind;
  readonly object: CustomResource;
  /** Undefined: it is in order. */
  readonly refusal: Refusal | undefined;
}

export interface Refusal {
  /** As a condition has it: one word in CamelCase. */
  readonly reason: "Invalid" | "Conflict" | "FilterNotFound" | "NotManaged" | "InUse";
  readonly message: string;
  /** Generation that is in force in its place. */
  readonly inForce: number | undefined;
}

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** What differs from the store, in the order in which it can be written. */
  readonly changes: readonly SourcedResource[];
  /** References of objects that are of another definition than the one there is now: what was told is out of date. */
  readonly outdated: readonly string[];
}

/** Managed, of a kind that is known, and without a custom resource that stays: to be deleted, if that is certain. */
export function departed(kinds: KnownKinds, held: readonly Resource[]): Resource[] {
  return held.filter((resource) => {
    const { kind, metadata } = resource;
    const known = kind === "Node" ? undefined : kinds.get(kind);
    if (known === undefined || originOf(resource) === undefined) return false;
    const object = known.objects.get(metadata.name);
    return object === undefined || (kind === "IPPool" && isLeaving(object));
  });
}

/**
 * @param read a custom resource as a document
 * @param held all resources of the reflected kinds that the store holds
 * @param leaving of those, the ones that go as soon as nobody needs them
 * @param blocks store keys of the blocks there are
 */
export function judge(
  kinds: KnownKinds,
  read: (kind: ReflectedKind, object: CustomResource) => Read,
  held: readonly Resource[],
  leaving: readonly Resource[],
  blocks: readonly string[],
): Judgement {
  const verdicts: Verdict[] = [];
  const changes: SourcedResource[] = [];
  const outdated: string[] = [];
  const heldBy = new Map(held.map((resource) => [refText(resource.kind, resource.metadata.name), resource]));
  const going = new Set(leaving.map(({ kind, metadata }) => refText(kind, metadata.name)));
  // A filter that goes is none that one may name; a pool that goes still has its range.
  const before = held.filter(({ kind, metadata }) => kind === "IPPool" || !going.has(refText(kind, metadata.name)));
  const after = new Map(before.map((resource) => [refText(resource.kind, resource.metadata.name), resource]));
  for (const kind of REFLECTED) {
    const objects = new Map<string, CustomResource>();
    const items: SourcedResource[] = [];
    const refuse = (object: CustomResource, reason: Refusal["reason"], problems: readonly string[]) => {
      const present = heldBy.get(refText(kind, object.metadata.name));
      const inForce = present && originOf(present)?.generation;
      verdicts.push({ kind, object, refusal: { reason, message: problems.join("; "), inForce } });
    };
    for (const object of [...(kinds.get(kind)?.objects.values() ?? [])].sort(byAge)) {
      if (kind === "IPPool" && isLeaving(object)) continue;
      const document = read(kind, object);
      if ("problems" in document) {
        refuse(object, "Invalid", document.problems);
        continue;
      }
      const { item } = document;
      if (isOutdated(item.resource, heldBy.get(item.file))) {
        outdated.push(item.file);
        continue;
      }
      const alien = ownershipFault(item, heldBy.get(item.file), "kubernetes");
      if (alien !== undefined) refuse(object, "NotManaged", [alien.message]);
      else {
        items.push(item);
        objects.set(item.file, object);
      }
    }
    const { taken, refused } = choose(items, [...after.values()], blocks);
    for (const [file, faults] of refused) {
      const absent = faults.every(({ field }) => field.startsWith("spec.filters["));
      const problems = faults.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
      refuse(objects.get(file) as CustomResource, absent ? "FilterNotFound" : "Conflict", problems);
    }
    for (const item of taken) {
      after.set(item.file, item.resource);
      verdicts.push({ kind, object: objects.get(item.file) as CustomResource, refusal: undefined });
      if (!isHeld(item.resource, heldBy.get(item.file))) changes.push(item);
    }
  }
  return { verdicts, changes, outdated };
}

/** An object goes with its definition: the same one under another is the view of a watch that is behind. */
function isOutdated(resource: Resource, held: Resource | undefined): boolean {
  const [now, before] = [originOf(resource), held && originOf(held)];
  return before !== undefined && before.uid === now?.uid && before.definition !== now.definition;
}

/** All of them where they go together; else one after the other, the older first, so that a newer one is refused. */
function choose(items: readonly SourcedResource[], held: readonly Resource[], blocks: readonly string[]) {
  const refused = new Map<string, Fault[]>();
  const together = crossFaults(items, held, blocks);
  if (together.length === 0) return { taken: items, refused };
  const known = new Set(held.map(({ kind, metadata }) => refText(kind, metadata.name)));
  const doubtful = new Set(together.map(({ file }) => file));
  // Who is in no doubt is in order whatever becomes of the others; who is there already goes before who comes.
  const taken = items.filter(({ file }) => !doubtful.has(file));
  const rest = items.filter(({ file }) => doubtful.has(file));
  const inTurn = [...rest.filter(({ file }) => known.has(file)), ...rest.filter(({ file }) => !known.has(file))];
  const after = new Map(held.map((resource) => [refText(resource.kind, resource.metadata.name), resource]));
  for (const item of taken) after.set(item.file, item.resource);
  const unchanged = new Map(held.map((resource) => [refText(resource.kind, resource.metadata.name), resource]));
  for (const item of inTurn) {
    const own = unchanged.get(item.file);
    const others = [...after].flatMap(([file, resource]) => (file === item.file ? [] : resource));
    const faults = crossFaults([item], own === undefined ? others : [...others, own], blocks);
    if (faults.length > 0) refused.set(item.file, faults);
    else {
      taken.push(item);
      after.set(item.file, item.resource);
    }
  }
  return { taken, refused };
}

/** Content and origin are what the store has. */
function isHeld(resource: Resource, held: Resource | undefined): boolean {
  if (held === undefined || !sameContent(resource, held)) return false;
  const [a, b] = [originOf(resource), originOf(held)];
  return a?.uid === b?.uid && a?.definition === b?.definition && a?.generation === b?.generation;
}

function byAge(a: CustomResource, b: CustomResource): number {
  const [one, other] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ""} ${metadata.name}`);
  return (one as string) < (other as string) ? -1 : 1;
}

export function refText(kind: string, name: string): string {
  return `${kind}/${name}`;
}
