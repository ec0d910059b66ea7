/** Whose connection it is: of the peer of the address, on its interface when it is link-local, or else of a range. */
import type { PeerConfig, PeerRange } from "../../bgp/session/peer-config.ts";
import { type Address, formatAddress } from "../../ipam/net/address.ts";
import { containsAddress } from "../../ipam/net/prefix.ts";

export class Callers {
  readonly #byAddress: Map<string, readonly PeerConfig[]>;
  readonly #ranges: readonly PeerRange[];

  constructor(peers: readonly PeerConfig[], ranges: readonly PeerRange[]) {
    this.#byAddress = Map.groupBy(peers, ({ address }) => formatAddress(address));
    this.#ranges = [...ranges].sort((a, b) => b.range.length - a.range.length);
  }

  /**
   * `device`: the interface a link-local caller came by. Several peers may share an address; terms of TCP they share.
   */
  of(address: Address, device: string | undefined): PeerConfig | undefined {
    const named = this.#byAddress.get(formatAddress(address)) ?? [];
    const known = named.find((peer) => peer.device === undefined || device === undefined || peer.device === device);
    if (known !== undefined || named.length > 0) return known;
    return this.#ranges.find(({ range }) => containsAddress(range, address))?.template;
  }
}
