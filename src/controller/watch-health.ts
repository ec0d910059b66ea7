/** What the log says of watches: which are lost and why, each reason once, those of one moment together. */
import type { Log } from "../telemetry/log.ts";

/** An API server that goes away takes all watches with it. */
const TOGETHER_MS = 100;

export class WatchHealth {
  readonly #log: Log;
  /** Problems by what is watched. */
  readonly #problems = new Map<string, string>();
  /** To be said. */
  readonly #lost = new Set<string>();
  readonly #back = new Set<string>();
  #planned: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The listener's health() of a watch. */
  of(what: string): (problem: string | undefined) => void {
    return (problem) => {
      if (problem === this.#problems.get(what)) return;
      if (problem === undefined) this.#problems.delete(what);
      else this.#problems.set(what, problem);
      const [to, from] = problem === undefined ? [this.#back, this.#lost] : [this.#lost, this.#back];
      from.delete(what);
      to.add(what);
      this.#planned ??= setTimeout(() => this.#say(), TOGETHER_MS).unref();
    };
  }

  stop(): void {
    clearTimeout(this.#planned);
  }

  #say(): void {
    this.#planned = undefined;
    const problems = [...new Set([...this.#lost].map((what) => this.#problems.get(what)))];
    if (problems.length > 0) {
      this.#log.warn("cannot be followed; what is known stays in force", { what: [...this.#lost], problems });
    }
    if (this.#back.size > 0) this.#log.info("followed again", { what: [...this.#back] });
    this.#lost.clear();
    this.#back.clear();
  }
}
