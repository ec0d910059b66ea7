/** The sessions with pods of the node itself: BGPPeers with localWorkloadSelector met with the pods that are there. */
import { type Address, familyOf, formatAddress } from "../../ipam/net/address.ts";
import type { LocalPeering, LocalPeerings } from "./local-peerings.ts";
import type { PeerIntent } from "./peer-intent.ts";
import type { Labels } from "./peering.ts";

/** A pod's interface. */
export interface LocalPod {
  readonly namespace: string;
  readonly name: string;
  /** In the pod. */
  readonly ifName: string;
  readonly addresses: readonly Address[];
  /** Its own, and what selectors see of its namespace: see {@link selectorLabels}. */
  readonly labels: Labels;
}

export interface LocalPeers {
  readonly peers: readonly PeerIntent[];
  readonly problems: readonly string[];
}

/** Any free one would do: the pod dials. */
const PORT = 179;

/** A pod's labels as Calico's selectors see them: with those of its namespace, and where it is. */
export function selectorLabels(namespace: string, pod: Labels, ofNamespace: Labels): Labels {
  const inherited = Object.entries(ofNamespace).map(([key, value]) => [`pcns.${key}`, value]);
  return {
    ...Object.fromEntries(inherited),
    "pcns.projectcalico.org/name": namespace,
    ...pod,
    "projectcalico.org/namespace": namespace,
    "projectcalico.org/orchestrator": "k8s",
  };
}

/** `others`: sessions that the node has besides, whose addresses are taken. */
export function resolveLocalPeers(
  { peerings, addresses }: LocalPeerings,
  pods: readonly LocalPod[],
  others: readonly PeerIntent[],
): LocalPeers {
  const peers: PeerIntent[] = [];
  const problems = new Set<string>();
  const taken = new Map(others.map(({ name, address }) => [formatAddress(address), name]));
  const names = new Set<string>();
  if (addresses[4] === undefined && addresses[6] === undefined) return { peers, problems: [] };
  for (const pod of inOrder(pods)) {
    const [peering, ...more] = peerings.filter((one) => one.chooses(pod.labels));
    if (peering === undefined) continue;
    for (const { name } of more) {
      problems.add(`BGPPeer ${name}: pod ${pod.namespace}/${pod.name} is BGPPeer ${peering.name}'s already; ignored`);
    }
    const dialing = pod.addresses.filter((address) => addresses[familyOf(address)] !== undefined);
    if (dialing.length === 0) problems.add(nothingToDial(peering, pod));
    for (const address of dialing) {
      const owner = taken.get(formatAddress(address));
      if (owner !== undefined) {
        const what = `BGPPeer ${peering.name}: the address of pod ${pod.namespace}/${pod.name}`;
        problems.add(`${what} is ${owner}'s already; ignored`);
        continue;
      }
      const peer = intentOf(peering, pod, address, names);
      names.add(peer.name);
      taken.set(formatAddress(address), peer.name);
      peers.push(peer);
    }
  }
  return { peers, problems: [...problems] };
}

function intentOf(peering: LocalPeering, pod: LocalPod, address: Address, names: ReadonlySet<string>): PeerIntent {
  const { asNumber, localASNumber, terms } = peering;
  const family = familyOf(address);
  const plain = `${peering.name}/${pod.namespace}/${pod.name}/ipv${family}`;
  // A pod with several interfaces.
  const name = names.has(plain) ? `${plain}/${pod.ifName}` : plain;
  return {
    ...terms,
    ...{ name, type: "local workload", pod: `${pod.namespace}/${pod.name}`, address, port: PORT, asNumber },
    ...{ localASNumber, passive: true, families: [family] },
  };
}

function nothingToDial({ name }: LocalPeering, pod: LocalPod): string {
  const family = familyOf(pod.addresses[0] as Address);
  const what = `BGPPeer ${name}: pod ${pod.namespace}/${pod.name} has IPv${family} only`;
  return `${what}, and BGPConfiguration default has no localWorkloadPeeringIPV${family}; set it`;
}

/** The same whatever came first: names and who has an address follow from it. */
function inOrder(pods: readonly LocalPod[]): LocalPod[] {
  const key = ({ namespace, name, ifName }: LocalPod) => `${namespace}/${name}/${ifName}`;
  return pods.filter(({ addresses }) => addresses.length > 0).sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
