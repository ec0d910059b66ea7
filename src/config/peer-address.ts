/** The text of BGPPeer's peerIP: an address, or an address and a port. */
import { parseAddress } from "../../ipam/net/address.ts";

/**
 * `192.0.2.1`, `192.0.2.1:1790`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:1790` in parts; a zone (`fe80::1%eth0`)
 * stays part of the address. Undefined for anything else.
 */
export function readPeerAddress(text: string): { readonly address: string; readonly port?: number } | undefined {
  const parts = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? /^([0-9.]*)(?::(\d{1,5}))?$/.exec(text);
  const address = parts?.[1] ?? text;
  if (parseAddress(address.replace(/%.*/, "")) === undefined) return undefined;
  if (parts?.[2] === undefined) return { address };
  const port = Number(parts[2]);
  return port >= 1 && port <= 65535 ? { address, port } : undefined;
}
