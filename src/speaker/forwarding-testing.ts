/** For tests: a RIB's forwarding side as plain data. */
import type { ForwardingSink } from "../../bgp/rib/forwarding.ts";
import type { Gateway } from "../../bgp/rib/next-hops.ts";
import { familyOf } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { WantedRoutes } from "./forwarding.ts";

export class WantedTable implements WantedRoutes {
  readonly #told = new Map<string, readonly Gateway[]>();
  readonly #changes = new Map<string, readonly Gateway[] | undefined>();

  /** As a decision would have it: handed over when asked for. */
  want(prefix: string, gateways: readonly Gateway[] | undefined): void {
    this.#changes.set(prefix, gateways);
  }

  takeForwardingChanges(limit: number, sink: ForwardingSink): number {
    let taken = 0;
    for (const [text, gateways] of this.#changes) {
      if (taken === limit) break;
      const { address, length } = prefixOf(text);
      this.#changes.delete(text);
      sink(familyOf(address), address, length, gateways);
      // The address is good during the call only.
      address.fill(0xee);
      if (gateways === undefined) this.#told.delete(text);
      else this.#told.set(text, gateways);
      taken++;
    }
    return taken;
  }

  forwardingOf(prefix: Prefix): readonly Gateway[] | undefined {
    return this.#told.get(formatPrefix(prefix));
  }

  *forwarding(): IterableIterator<{ readonly prefix: Prefix; readonly gateways: readonly Gateway[] }> {
    for (const [text, gateways] of this.#told) yield { prefix: prefixOf(text), gateways };
  }

  isDeciding = false;

  get forwardingCount(): number {
    return this.#told.size;
  }
}
