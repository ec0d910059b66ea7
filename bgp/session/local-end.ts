import type { Address } from "../../ipam/net/address.ts";

/** Where our end of a connection sits. */
export interface LocalEnd {
  readonly address: Address;
  /** Kernel index of the interface, for link-local peers. */
  readonly interfaceIndex?: number;
}
