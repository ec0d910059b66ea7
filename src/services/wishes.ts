/** What a service's own annotations ask for. What cannot be read leaves what was asked for last in force. */
import { communityFault } from "../config/schema/fields.ts";
import { ADVERTISE_ANNOTATION, COMMUNITIES_ANNOTATION, type Service } from "./service.ts";

export interface Wishes {
  readonly advertise: boolean;
  /** Values, each once, in order. */
  readonly communities: readonly string[];
  /** What could not be read, in words. */
  readonly problems: readonly string[];
}

export const NO_WISHES: Wishes = { advertise: true, communities: [], problems: [] };

/** `before`: what was in force so far. */
export function wishesOf(
  { communities, advertise }: Service,
  names: ReadonlyMap<string, string>,
  before: Wishes = NO_WISHES,
): Wishes {
  if (communities === undefined && advertise === undefined) return NO_WISHES;
  const problems: string[] = [];
  const yes = advertise === undefined || advertise === "true";
  const understood = yes || advertise === "false";
  if (!understood) {
    const kept = before.advertise ? "announced" : "not announced";
    problems.push(`${ADVERTISE_ANNOTATION}: "${advertise}" is not "true" or "false"; it stays ${kept}`);
  }
  const asked = (communities ?? "").split(/[\s,]+/).filter((text) => text !== "");
  const unknown = asked.filter((text) => !names.has(text) && communityFault(text) !== undefined);
  for (const text of unknown) {
    const fault = `${communityFault(text)}, and no name in spec.communities of BGPConfiguration`;
    problems.push(`${COMMUNITIES_ANNOTATION}: ${fault}; what it had before stays`);
  }
  const values = [...new Set(asked.map((text) => names.get(text) ?? text))].sort();
  return {
    advertise: understood ? yes : before.advertise,
    communities: unknown.length > 0 ? before.communities : values,
    problems,
  };
}
