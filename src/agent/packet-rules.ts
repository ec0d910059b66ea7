import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import { applyPacketRules, type PacketRules } from "../kernel/packet-rules.ts";
import { type Terms, wholeRanges, whyExcluded } from "../services/judge.ts";
import type { Log } from "../telemetry/log.ts";
import type { Configured } from "./configuration.ts";

/** natOutgoing as the pools have it, and no loops in ranges of services; one change at a time, the last one counts. */
export class NodePacketRules {
  readonly #log: Log;
  #wanted = "";
  #applying = Promise.resolve();
  problems: readonly string[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  set({ pools, node, labels }: Configured, drained: boolean): void {
    const rules = packetRules(pools, { settings: node.services, excluded: whyExcluded(labels, drained) });
    const wanted = JSON.stringify(Object.entries(rules).map(([name, prefixes]) => [name, prefixes.map(formatPrefix)]));
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    const what = [
      ...(rules.natPools.length > 0 ? ["natOutgoing"] : []),
      ...(rules.serviceRanges.length > 0 ? ["dropping packets to services' addresses that no service has"] : []),
    ].join(" and ");
    this.#applying = this.#applying.then(async () => {
      try {
        await applyPacketRules(rules);
        this.problems = [];
      } catch (error) {
        const words = what === "" ? "rules that nobody asks for any more are still there" : `${what} is not in force`;
        this.problems = [`${words}: ${(error as Error).message}`];
        this.#log.error(words, { error });
      }
    });
  }
}

export function packetRules(pools: readonly Pool[], services: Terms): PacketRules {
  // A service's address from outside is no pod: what goes there leaves as any other packet does.
  const forPods = pools.filter(({ allowedUses }) => !allowedUses.includes("LoadBalancer"));
  const natPools = forPods.filter(({ natOutgoing }) => natOutgoing).map(({ cidr }) => cidr);
  return {
    natPools,
    allPools: natPools.length === 0 ? [] : forPods.map(({ cidr }) => cidr),
    serviceRanges: wholeRanges(services),
  };
}
