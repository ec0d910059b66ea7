/** Whose connection it is: of the peer of the address, on its interface when it is link-local, or else of a range. */
import { type Caller, isCalledBy } from "../../bgp/caller.ts";
import type { PeerConfig, PeerRange } from "../../bgp/session/peer-config.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { containsAddress } from "../../ipam/net/prefix.ts";

export class Callers {
  readonly #byAddress: Map<string, readonly PeerConfig[]>;
  readonly #ranges: readonly PeerRange[];

  constructor(peers: readonly PeerConfig[], ranges: readonly PeerRange[]) {
    this.#byAddress = Map.groupBy(peers, ({ address }) => formatAddress(address));
    this.#ranges = [...ranges].sort((a, b) => b.range.length - a.range.length);
  }

  /** Several peers may share an address, on different ports; terms of TCP they share. */
  of(caller: Caller): PeerConfig | undefined {
    const { address } = caller;
    const named = this.#byAddress.get(formatAddress(address)) ?? [];
    const known = named.find((peer) => isCalledBy(peer, caller));
    return known ?? this.#ranges.find(({ range }) => containsAddress(range, address))?.template;
  }
}
