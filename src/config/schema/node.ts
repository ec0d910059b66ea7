/** Node: a machine of the cluster, written by its agent when it starts. */
import { z } from "zod";
import { asNumber, clusterID, nodeAddress } from "./fields.ts";
import type { Problem } from "./problem.ts";

// Facts that Calico records about tunnels; there are none here, so they are kept and mean nothing.
const tunnelFact = z.string().exactOptional();

export const nodeSchema = z.strictObject({
  bgp: z
    .strictObject({
      /** AS of this node; the cluster's when not given. */
      asNumber: asNumber.exactOptional(),
      /** Address that others peer with and send pod traffic to, with its prefix length; IPv4 is the router ID too. */
      ipv4Address: nodeAddress(4).exactOptional(),
      ipv6Address: nodeAddress(6).exactOptional(),
      /** Makes the node a route reflector (RFC 4456), which is in no mesh: BGPPeers say who its clients are. */
      routeReflectorClusterID: z.union([z.literal(""), clusterID]).exactOptional(),
      ipv4IPIPTunnelAddr: tunnelFact,
    })
    .exactOptional(),
  ipv4VXLANTunnelAddr: tunnelFact,
  ipv6VXLANTunnelAddr: tunnelFact,
  vxlanTunnelMACAddr: tunnelFact,
  vxlanTunnelMACAddrV6: tunnelFact,
  wireguard: z
    .strictObject({
      interfaceIPv4Address: z.string().exactOptional(),
      interfaceIPv6Address: z.string().exactOptional(),
    })
    .exactOptional(),
  orchRefs: z.array(z.strictObject({ nodeName: z.string().exactOptional(), orchestrator: z.string() })).exactOptional(),
  addresses: z.array(z.strictObject({ address: z.string(), type: z.string().exactOptional() })).exactOptional(),
  interfaces: z
    .array(z.strictObject({ name: z.string(), addresses: z.array(z.string()).exactOptional() }))
    .exactOptional(),
});

export type NodeSpec = z.output<typeof nodeSchema>;

export function nodeRules(spec: Readonly<Record<string, unknown>>): Problem[] {
  const bgp = spec["bgp"];
  const empty = typeof bgp === "object" && bgp !== null && Object.keys(bgp).length === 0;
  return empty ? [{ path: ["spec", "bgp"], message: "is empty; give an address or an asNumber, or remove it" }] : [];
}
