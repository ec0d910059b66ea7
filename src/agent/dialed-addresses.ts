/**
 * The node's addresses towards its own pods, for those that peer with it: on lo, as long as a BGPPeer asks for them.
 *
 * What is ours is written down before it is put there, beside the socket: an agent that comes back takes away what
 * nobody wants any more, and leaves alone what somebody else put on lo.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type Address, familyOf, formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { hasAddress, putOnLoopback, takeFromLoopback } from "../kernel/loopback-addresses.ts";
import type { Log } from "../telemetry/log.ts";

export interface DialedAddressesOptions {
  readonly file: string;
  readonly log: Pick<Log, "info" | "warn">;
  /** Path of a network namespace; the process's own if absent. */
  readonly netns?: string;
}

export class DialedAddresses {
  readonly #options: DialedAddressesOptions;
  /** Put there by us, in this run or an earlier one: as text. */
  #ours: readonly string[];
  #there: readonly Address[] = [];
  #problems: readonly string[] = [];

  constructor(options: DialedAddressesOptions) {
    this.#options = options;
    this.#ours = readAddresses(options.file);
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Those wanted that the node has: where it can listen. */
  get there(): readonly Address[] {
    return this.#there;
  }

  /** These, and no others of ours; also where somebody took one away. */
  set(wanted: readonly Address[]): void {
    const { netns, log } = this.#options;
    const problems: string[] = [];
    const attempt = (address: Address, work: () => void): boolean => {
      try {
        work();
        return true;
      } catch (error) {
        const field = `localWorkloadPeeringIPV${familyOf(address)}`;
        problems.push(`BGPConfiguration default: ${field}: ${(error as Error).message}`);
        return false;
      }
    };
    const texts = wanted.map(formatAddress);
    for (const text of this.#ours.filter((one) => !texts.includes(one))) {
      const address = parseAddress(text) as Address;
      attempt(address, () => {
        takeFromLoopback(address, netns);
        log.info("no pod peers with this node any more; its address for them is gone", { address: text });
        this.#write(this.#ours.filter((one) => one !== text));
      });
    }
    this.#there = wanted.filter((address) =>
      attempt(address, () => {
        if (hasAddress(address, netns)) return;
        const text = formatAddress(address);
        if (!this.#ours.includes(text)) this.#write([...this.#ours, text]);
        putOnLoopback(address, netns);
        log.info("pods that peer with this node find it at", { address: text });
      }),
    );
    for (const problem of problems) if (!this.#problems.includes(problem)) log.warn(problem);
    this.#problems = problems;
  }

  #write(ours: readonly string[]): void {
    writeFileSync(this.#options.file, JSON.stringify(ours), { mode: 0o600 });
    this.#ours = ours;
  }
}

/** Nothing where there is no such file, or none that can be read. */
function readAddresses(file: string): string[] {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as unknown;
    if (!Array.isArray(value)) return [];
    return value.filter((text) => typeof text === "string" && parseAddress(text) !== undefined) as string[];
  } catch {
    return [];
  }
}
