/**
 * The network list that tells the container runtime that this node can wire pods: the kubelet calls the node ready once
 * it is there, and the scheduler sends pods. So it is written when pods can be wired and not before; a restart leaves
 * it, since it is over before the runtime tries again.
 */
import { readFileSync } from "node:fs";
import type { CniConfig } from "../config/agent-config.ts";
import { installList } from "../install/install.ts";
import { USUAL_TEMPLATE } from "../install/network-list.ts";
import type { Log } from "../telemetry/log.ts";

const RETRY_MS = 10_000;

export class NetworkListFile {
  readonly #config: CniConfig | undefined;
  readonly #log: Log;
  #retry: NodeJS.Timeout | undefined;
  problems: readonly string[] = [];

  constructor(config: CniConfig | undefined, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  /** Tried again until it is done: a host's directory may be read-only for a while. */
  write(): void {
    if (this.#config === undefined) return;
    const { confDir, binDir, template } = this.#config;
    try {
      const text = template === undefined ? USUAL_TEMPLATE : readFileSync(template, "utf8");
      const { path, done, absent, before } = installList(text, confDir, binDir);
      if (done !== "unchanged") this.#log.info("the network list is written: pods can come", { path, done, absent });
      this.#say(before.length === 0 ? [] : [`${before.join(", ")} in ${confDir} comes before ours: remove it`]);
    } catch (error) {
      this.#say([`pods cannot come to this node: ${(error as Error).message}`]);
      this.#retry = setTimeout(() => this.write(), RETRY_MS);
      this.#retry.unref();
    }
  }

  stop(): void {
    clearTimeout(this.#retry);
  }

  #say(problems: readonly string[]): void {
    for (const problem of problems) if (!this.problems.includes(problem)) this.#log.warn(problem);
    this.problems = problems;
  }
}
