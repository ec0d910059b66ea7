/** Prefixes for which the kernel does not take our route: told once in the log, tried again less and less often. */
import type { Address } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { FailedWrite } from "../kernel/routes.ts";
import type { Log } from "../telemetry/log.ts";
import { PrefixSet } from "./prefix-set.ts";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
const NAMED_IN_LOG = 5;

export class RefusedRoutes {
  readonly #prefixes = new PrefixSet();
  readonly #log: Log;
  #retryDelay = FIRST_RETRY_MS;
  #retryAt = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#prefixes.size;
  }

  has(address: Address, length: number): boolean {
    return this.#prefixes.has(address, length);
  }

  delete(address: Address, length: number): void {
    this.#prefixes.delete(address, length);
  }

  clear(): void {
    this.#prefixes.clear();
  }

  /** Takes in what the kernel did not do, as far as it is still `wanted`. */
  add(failed: readonly FailedWrite[], wanted: (prefix: Prefix) => boolean): void {
    const news = new Map<string, string[]>();
    for (const { prefix, change, errno } of failed) {
      // What is no longer wanted need not be tried again, nor a removal: the next comparison makes it.
      if (change === "replace" && (!wanted(prefix) || !this.#isNew(prefix))) continue;
      const named = news.get(errno);
      if (named === undefined) news.set(errno, [formatPrefix(prefix)]);
      else named.push(formatPrefix(prefix));
    }
    for (const [errno, prefixes] of news) this.#warn(errno, prefixes);
  }

  /** Somebody else's route is at the prefix: the kernel would replace it, so it is not asked. */
  addOccupied(prefix: Prefix): void {
    if (this.#isNew(prefix)) this.#warn("EEXIST", [formatPrefix(prefix)]);
  }

  /** What was tried again and did not fail again is no longer refused. */
  forgive(retried: readonly Prefix[], failed: readonly FailedWrite[]): void {
    if (retried.length === 0) return;
    const again = new PrefixSet();
    for (const { prefix } of failed) again.add(prefix.address, prefix.length);
    for (const { address, length } of retried) if (!again.has(address, length)) this.#prefixes.delete(address, length);
  }

  /** What is to be tried again at this moment (ms). */
  takeDue(now: number): Iterable<Prefix> {
    if (this.size === 0) this.#retryDelay = FIRST_RETRY_MS;
    if (this.size === 0 || now < this.#retryAt) return [];
    this.#retryAt = now + this.#retryDelay;
    this.#retryDelay = Math.min(2 * this.#retryDelay, LAST_RETRY_MS);
    return this.#prefixes;
  }

  #isNew({ address, length }: Prefix): boolean {
    if (this.#prefixes.has(address, length)) return false;
    this.#prefixes.add(address, length);
    return true;
  }

  #warn(errno: string, prefixes: readonly string[]): void {
    const named = prefixes.slice(0, NAMED_IN_LOG);
    this.#log.warn("the kernel refused routes", { errno, routes: prefixes.length, prefixes: named });
  }
}
