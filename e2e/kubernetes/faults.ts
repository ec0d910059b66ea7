/** What a test has the server do wrong: refuse, wait, fall silent, cut its streams. */
import { setTimeout as sleep } from "node:timers/promises";

/** Which requests are meant; what is absent is any. */
export interface Match {
  readonly user?: string;
  readonly verb?: string;
  /** Plural, with /subresource where there is one. */
  readonly resource?: string;
  /** How the path begins. */
  readonly path?: string;
}

export interface RequestFacts {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly path: string;
}

/** The next `count` requests that match are answered so; without a count all of them. */
export interface AnswerFault {
  readonly match?: Match;
  count?: number;
  readonly code: number;
  readonly retryAfterSeconds?: number;
  readonly message?: string;
}

export interface DelayFault {
  readonly match?: Match;
  readonly milliseconds: number;
}

/** What a stream asks of the faults before it writes. */
export interface StreamFaults {
  /** True: the server is frozen, and calls back when it goes on. */
  held(goOn: () => void): boolean;
  cutsNext(): boolean;
  closesAfterEach(): boolean;
}

export class Faults {
  answers: AnswerFault[] = [];
  delays: DelayFault[] = [];
  /** Watches that match are closed after each event. */
  closing: Match | undefined;
  /** So many watches that match are cut in the middle of their next line. */
  cuts: { readonly match?: Match; count: number }[] = [];
  #waiting: (() => void)[] | undefined;

  get frozen(): boolean {
    return this.#waiting !== undefined;
  }

  freeze(): void {
    this.#waiting ??= [];
  }

  thaw(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const goOn of waiting) goOn();
  }

  clear(): void {
    this.answers = [];
    this.delays = [];
    this.cuts = [];
    this.closing = undefined;
    this.thaw();
  }

  held(goOn: () => void): boolean {
    if (this.#waiting === undefined) return false;
    this.#waiting.push(goOn);
    return true;
  }

  whenThawed(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.held(resolve)) resolve();
    });
  }

  async delay(facts: RequestFacts): Promise<void> {
    const { milliseconds = 0 } = this.delays.find(({ match }) => fits(match, facts)) ?? {};
    if (milliseconds > 0) await sleep(milliseconds);
  }

  takeAnswer(facts: RequestFacts): AnswerFault | undefined {
    const found = this.answers.find(({ match, count = 1 }) => count > 0 && fits(match, facts));
    if (found?.count !== undefined) found.count--;
    return found;
  }

  ofStream(facts: RequestFacts): StreamFaults {
    return {
      held: (goOn) => this.held(goOn),
      cutsNext: () => {
        const cut = this.cuts.find(({ match, count }) => count > 0 && fits(match, facts));
        if (cut !== undefined) cut.count--;
        return cut !== undefined;
      },
      closesAfterEach: () => this.closing !== undefined && fits(this.closing, facts),
    };
  }
}

export function fits(match: Match | undefined, facts: RequestFacts): boolean {
  const { user, verb, resource, path } = match ?? {};
  return (
    (user === undefined || user === facts.user) &&
    (verb === undefined || verb === facts.verb) &&
    (resource === undefined || resource === facts.resource) &&
    (path === undefined || facts.path.startsWith(path))
  );
}
