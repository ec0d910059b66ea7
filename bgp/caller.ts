/** Who connects, as far as a connection tells. */
import type { Address } from "../ipam/net/address.ts";
import type { PeerConfig } from "./session/peer-config.ts";
import { sameOctets } from "./wire/octets.ts";

export interface Caller {
  readonly address: Address;
  /** The interface by which a link-local caller came: routers on two links may have one address. */
  readonly device?: string | undefined;
}

/** Whether it is this peer, as far as the caller and the configuration say. */
export function isCalledBy(peer: Pick<PeerConfig, "address" | "device">, { address, device }: Caller): boolean {
  if (!sameOctets(peer.address, address)) return false;
  return peer.device === undefined || device === undefined || peer.device === device;
}
