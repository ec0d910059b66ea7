/** What the forwarding table is told. */
import type { Family } from "../../ipam/net/address.ts";
import type { Gateway } from "./next-hops.ts";

/**
 * Called once per changed prefix. `address` (4 or 16 octets) is only good during the call. Equal sets of gateways are
 * the same object; none: the route goes.
 */
export type ForwardingSink = (
  family: Family,
  address: Uint8Array,
  length: number,
  gateways: readonly Gateway[] | undefined,
) => void;
