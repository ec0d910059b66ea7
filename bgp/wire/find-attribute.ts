/** Where the value of an attribute stands in a checked list. */
import { AttributeFlag } from "./codes.ts";
import { u16 } from "./octets.ts";

/** From `start` to `end`; both -1 when the list has no such attribute. One object, good until the next call. */
export interface Place {
  start: number;
  end: number;
}

const PLACE: Place = { start: -1, end: -1 };

export function findAttribute(octets: Uint8Array, start: number, end: number, type: number): Readonly<Place> {
  PLACE.start = -1;
  PLACE.end = -1;
  for (let at = start; at < end; ) {
    const extended = ((octets[at] as number) & AttributeFlag.ExtendedLength) !== 0;
    const value = at + (extended ? 4 : 3);
    const next = value + (extended ? u16(octets, at + 2) : (octets[at + 2] as number));
    if (octets[at + 1] === type) {
      PLACE.start = value;
      PLACE.end = next;
      break;
    }
    at = next;
  }
  return PLACE;
}
