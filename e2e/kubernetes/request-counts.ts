/** Who asked for what, and how often: how much load a program puts on the server. */
import { fits, type Match, type RequestFacts } from "./faults.ts";

export interface RequestCount extends RequestFacts {
  count: number;
  /** The last answer's HTTP status. */
  code: number;
}

export class RequestCounts {
  readonly #counts = new Map<string, RequestCount>();

  add(facts: RequestFacts, code: number): void {
    const key = `${facts.user} ${facts.verb} ${facts.path}`;
    const found = this.#counts.get(key);
    if (found === undefined) this.#counts.set(key, { ...facts, count: 1, code });
    else {
      found.count++;
      found.code = code;
    }
  }

  matching(match: Match): RequestCount[] {
    return [...this.#counts.values()].filter((count) => fits(match, count));
  }

  clear(): void {
    this.#counts.clear();
  }
}
