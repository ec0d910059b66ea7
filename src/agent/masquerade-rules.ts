import { formatPrefix } from "../../ipam/net/prefix.ts";
import { applyMasquerade } from "../kernel/masquerade.ts";
import type { Log } from "../telemetry/log.ts";
import type { Configured } from "./configuration.ts";

/** natOutgoing as the pools have it; one change at a time, the last one counts. */
export class MasqueradeRules {
  readonly #log: Log;
  #wanted = "";
  #applying = Promise.resolve();
  problems: readonly string[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  set({ pools }: Configured): void {
    const natPools = pools.filter(({ natOutgoing }) => natOutgoing).map(({ cidr }) => cidr);
    const allPools = pools.map(({ cidr }) => cidr);
    const wanted = JSON.stringify(
      [natPools, natPools.length > 0 ? allPools : []].map((list) => list.map(formatPrefix)),
    );
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#applying = this.#applying.then(async () => {
      try {
        await applyMasquerade({ natPools, allPools });
        this.problems = [];
      } catch (error) {
        this.problems = [`natOutgoing is not in force: ${(error as Error).message}`];
        this.#log.error("natOutgoing is not in force", { error });
      }
    });
  }
}
