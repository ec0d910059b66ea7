/**
 * Our address of the other family, where we have one on the link that leads to a peer: what the peer is given as next
 * hop of routes that are not of the session's own family.
 */
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { familyOf, isLinkLocal, isLoopback } from "../../ipam/net/address.ts";
import { containsPrefix, type Prefix, prefixAround } from "../../ipam/net/prefix.ts";
import type { Link } from "../kernel/links.ts";

/** `peers`: one or a range of them. None is given unless they are on a network of ours: anything else is a guess. */
export function ownAddresses(
  peers: Prefix,
  device: string | undefined,
  links: readonly Link[],
): PeerConfig["localAddresses"] {
  const other = familyOf(peers.address) === 4 ? 6 : 4;
  // Link-local ones from whatever link: which, only the connection will tell.
  if (device === undefined && isLinkLocal(peers.address)) return {};
  const link = links.find(({ name, addresses }) =>
    device === undefined
      ? addresses.some(({ address, length }) => containsPrefix(prefixAround(address, length), peers))
      : name === device,
  );
  const own = link?.addresses.find(
    ({ address }) => familyOf(address) === other && !isLinkLocal(address) && !isLoopback(address),
  )?.address;
  return own === undefined ? {} : { [other]: own };
}
