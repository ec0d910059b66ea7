/**
 * Routes of ours that somebody else changed or removed are put right at once, each once between two ticks: two programs
 * that disagree over a route would keep the kernel busy otherwise.
 */
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { Log } from "../telemetry/log.ts";
import type { Forwarding } from "./forwarding.ts";
import { PrefixSet } from "./prefix-set.ts";

export class Repairs {
  readonly #forwarding: Forwarding;
  readonly #log: Log;
  readonly #done = new PrefixSet();
  readonly #later = new PrefixSet();

  constructor(forwarding: Forwarding, log: Log) {
    this.#forwarding = forwarding;
    this.#log = log;
  }

  repair(prefix: Prefix): void {
    const { address, length } = prefix;
    if (this.#done.has(address, length)) return this.#later.add(address, length);
    this.#done.add(address, length);
    this.#forwarding.writeAgain(prefix);
    this.#forwarding.forward();
  }

  tick(): void {
    const [first] = this.#done;
    if (first === undefined) return;
    const prefix = formatPrefix(first);
    this.#log.info("routes that somebody else changed are put right", { routes: this.#done.size, prefix });
    this.#done.clear();
    for (const { address, length } of this.#later) {
      this.#done.add(address, length);
      this.#forwarding.writeAgain({ address, length });
    }
    this.#later.clear();
    this.#forwarding.forward();
  }
}
