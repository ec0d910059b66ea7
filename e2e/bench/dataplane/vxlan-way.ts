/**
 * The usual overlay, as flannel makes it: a bridge with the pods of the node, a subnet per node, and a VXLAN device
 * that knows the other node's MAC address and tunnel end, so that nothing is flooded or learned.
 */
import type { Commands } from "./commands.ts";
import { type Node, nodeAddress, type Site, UPLINK, type Way } from "./nodes.ts";

/** 50 octets of VXLAN, UDP, IP and Ethernet around each frame. */
const MTU = 1450;
const POD = 10;

const subnet = (number: number) => ({ ipv4: `10.246.${number}`, ipv6: `fd00:246:${number}:` });
const tunnelEnd = (number: number) => ({ ipv4: `10.246.0.${number}`, ipv6: `fd00:246::${number}` });
const mac = (number: number) => `02:00:00:00:00:0${number}`;

export function vxlanWay(commands: Commands, { nodes: [from, to] }: Site): Way {
  for (const node of [from, to]) connect(commands, node);
  const { ipv4, ipv6 } = subnet(to.number);
  const addresses = { ipv4: `${ipv4}.${POD}`, ipv6: `${ipv6}:${POD}` };
  return { mode: "vxlan", client: addPod(commands, from), server: addPod(commands, to), addresses };
}

function connect(commands: Commands, { number, other, netns }: Node): void {
  const [here, there] = [tunnelEnd(number), tunnelEnd(other)];
  const tunnel = `id 1 local ${nodeAddress(number).ipv4} dev ${UPLINK} dstport 8472 nolearning`;
  commands.ip(
    netns,
    `link add name bridge0 mtu ${MTU} type bridge
    addr add ${subnet(number).ipv4}.1/24 dev bridge0
    addr add ${subnet(number).ipv6}:1/64 dev bridge0 nodad
    link set bridge0 up
    link add name vxlan0 address ${mac(number)} mtu ${MTU} type vxlan ${tunnel}
    addr add ${here.ipv4}/32 dev vxlan0
    addr add ${here.ipv6}/128 dev vxlan0 nodad
    link set vxlan0 up
    neigh add ${there.ipv4} lladdr ${mac(other)} dev vxlan0
    neigh add ${there.ipv6} lladdr ${mac(other)} dev vxlan0
    route add ${subnet(other).ipv4}.0/24 via ${there.ipv4} dev vxlan0 onlink
    route add ${subnet(other).ipv6}:/64 via ${there.ipv6} dev vxlan0 onlink`,
  );
  const far = nodeAddress(other).ipv4;
  commands.bridge(netns, ["fdb", "add", mac(other), "dev", "vxlan0", "dst", far]);
}

function addPod(commands: Commands, { number, netns }: Node): string {
  const pod = commands.netns(`vxlan${number}`);
  const { ipv4, ipv6 } = subnet(number);
  commands.ip(netns, `link add name pod0 mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${pod}`);
  commands.ip(netns, "link set pod0 master bridge0 up");
  commands.ip(
    pod,
    `addr add ${ipv4}.${POD}/24 dev eth0
    addr add ${ipv6}:${POD}/64 dev eth0 nodad
    link set eth0 up
    route add default via ${ipv4}.1
    route add default via ${ipv6}:1`,
  );
  return pod;
}
