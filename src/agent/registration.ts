/** This node's Node resource in etcd: written at the start, and again whenever it is not what the agent knows. */

import type { Store } from "../../ipam/store.ts";
import { type NodeFacts, registerNode } from "../config/node-registration.ts";
import type { Log } from "../telemetry/log.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
/** Between two times that a Node resource which somebody changed is put right, or that cannot be written. */
const AGAIN_MS = 5_000;

export interface RegistrationOptions {
  readonly nodeName: string;
  readonly store: Store;
  readonly log: Log;
  facts(): NodeFacts;
}

export class Registration {
  readonly #options: RegistrationOptions;
  #wanted = false;
  #contested = false;
  #writing = false;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** Why the node is not registered, in words. */
  problem: string | undefined = "the node is not registered yet";

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** However long it takes. */
  async start(): Promise<void> {
    for (let wait = FIRST_RETRY_MS; !this.#stopped; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      if (await this.#write()) return;
      await sleep(wait);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Writes it once more, until it is there. `contested`: somebody wrote over it; two agents of one name would do so in
   * turn as fast as etcd allows.
   */
  async again(why: string, contested = false): Promise<void> {
    this.#wanted = true;
    this.#contested ||= contested;
    if (this.#writing || this.#stopped) return;
    this.#writing = true;
    this.#options.log[contested ? "warn" : "info"](why);
    while (this.#wanted && !this.#stopped) {
      const wait = this.#contested ? this.#writtenAt + AGAIN_MS - performance.now() : 0;
      if (wait > 0) await sleep(wait);
      [this.#wanted, this.#contested] = [false, false];
      this.#writtenAt = performance.now();
      if (!(await this.#write())) [this.#wanted, this.#contested] = [true, true];
    }
    this.#writing = false;
  }

  async #write(): Promise<boolean> {
    const { nodeName, store, log } = this.#options;
    try {
      const registered = await registerNode(store, this.#options.facts());
      if ("refusals" in registered) {
        this.#fail(`node ${nodeName} cannot be registered: ${registered.refusals.join("; ")}`);
        return false;
      }
      this.problem = undefined;
      log.info("node registered", { outcome: registered.outcome });
      return true;
    } catch (error) {
      this.#fail(`etcd does not answer: ${(error as Error).message}`);
      return false;
    }
  }

  #fail(text: string): void {
    if (text !== this.problem) this.#options.log.warn(text);
    this.problem = text;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
