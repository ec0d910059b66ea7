/** Two nodes joined by a switch, each a namespace; and a way through them that can be measured. */
import type { Commands } from "./commands.ts";

export type Family = "ipv4" | "ipv6";
export type Mode = "host" | "overland" | "vxlan";

/** From a namespace to an address in another one. */
export interface Way {
  readonly mode: Mode;
  readonly client: string;
  readonly server: string;
  /** Of the server. */
  readonly addresses: Readonly<Record<Family, string>>;
}

/** A node's number is the last part of its addresses. */
export interface Node {
  readonly number: 1 | 2;
  readonly other: 1 | 2;
  readonly netns: string;
}

export interface Site {
  /** Stands for the management network: etcd is here. */
  readonly switch: string;
  readonly nodes: readonly [Node, Node];
}

export const UPLINK = "uplink";
export const SWITCH_ADDRESS = "10.1.1.254";
export const nodeAddress = (number: number): Record<Family, string> => ({
  ipv4: `10.1.1.${number}`,
  ipv6: `fd00:1:1::${number}`,
});

/**
 * What crosses the switch. large: segments as the sender's TCP made them, as with a card that cuts and joins them by
 * itself; mtu: frames of the MTU, as a receiver sees them whose card joins nothing.
 */
export type Frames = "large" | "mtu";

export function buildSite(commands: Commands, frames: Frames): Site {
  const bridge = commands.netns("switch");
  commands.ip(
    bridge,
    `link add name switch type bridge
    addr add ${SWITCH_ADDRESS}/24 dev switch
    link set switch up`,
  );
  const node = (number: 1 | 2): Node => {
    const netns = commands.netns(`node${number}`);
    const { ipv4, ipv6 } = nodeAddress(number);
    const port = `port${number}`;
    commands.ip(netns, `link add name ${UPLINK} type veth peer name ${port} netns ${bridge}`);
    commands.ip(bridge, `link set ${port} master switch up`);
    commands.ip(
      netns,
      `addr add ${ipv4}/24 dev ${UPLINK}
      addr add ${ipv6}/64 dev ${UPLINK} nodad
      link set ${UPLINK} up`,
    );
    // At the switch: on the node itself it would hold back what its own TCP makes, and not what it forwards.
    if (frames === "mtu") commands.ip(bridge, `link set ${port} gso_max_segs 1`);
    return { number, other: number === 1 ? 2 : 1, netns };
  };
  return { switch: bridge, nodes: [node(1), node(2)] };
}

/** What the others are measured against: no pod, the nodes themselves. */
export const hostWay = ({ nodes: [from, to] }: Site): Way => ({
  mode: "host",
  client: from.netns,
  server: to.netns,
  addresses: nodeAddress(to.number),
});
