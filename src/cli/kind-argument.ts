/** A kind as somebody types it. */
import { KINDS, type Kind, kindCalled, PLURALS, whyUnsupported } from "../config/kinds.ts";
import { nearestName } from "../config/suggest.ts";
import { Failure } from "./failure.ts";

export function kindNamed(text: string): Kind {
  const kind = kindCalled(text);
  if (kind !== undefined) return kind;
  const why = whyUnsupported(text);
  if (why !== undefined) throw new Failure(`${text}: ${why}`, 2);
  const names = KINDS.flatMap((known) => [known.toLowerCase(), PLURALS[known]]);
  const near = nearestName(text, names);
  const hint =
    near === undefined ? `known kinds: ${names.filter((_, i) => i % 2 === 0).join(", ")}` : `did you mean ${near}?`;
  throw new Failure(`${JSON.stringify(text)} is no kind of resource; ${hint}`, 2);
}
