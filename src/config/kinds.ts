/** The kinds of resource there are, and every name a person may call them by. */
export const API_VERSION = "overland.dev/v1";

/** Documents written for Calico are read as they are; what is stored and shown is always {@link API_VERSION}. */
export const ACCEPTED_API_VERSIONS: readonly string[] = [
  API_VERSION,
  "projectcalico.org/v3",
  "crd.projectcalico.org/v1",
];

export const KINDS = [
  "IPPool",
  "IPReservation",
  "IPAMConfiguration",
  "BGPConfiguration",
  "BGPFilter",
  "BGPPeer",
  "Node",
] as const;
export type Kind = (typeof KINDS)[number];

/** Lower-case plural: the word in store keys and the usual word on the command line. */
export const PLURALS: Readonly<Record<Kind, string>> = {
  IPPool: "ippools",
  IPReservation: "ipreservations",
  IPAMConfiguration: "ipamconfigurations",
  BGPConfiguration: "bgpconfigurations",
  BGPFilter: "bgpfilters",
  BGPPeer: "bgppeers",
  Node: "nodes",
};

const SHORT_NAMES: Readonly<Record<Kind, readonly string[]>> = {
  IPPool: ["ipp", "ipps", "pool", "pools"],
  IPReservation: [],
  IPAMConfiguration: ["ipamconfig", "ipamconfigs"],
  BGPConfiguration: ["bgpconfig", "bgpconfigs", "bgpc"],
  BGPFilter: ["bgpf", "bgpfs"],
  BGPPeer: ["bgpp", "bgpps"],
  Node: ["no", "nos"],
};

/** Words of ours for kubectl; those that other software may have too are left to it. */
export function shortNamesFor(kind: Kind): readonly string[] {
  return SHORT_NAMES[kind].filter((name) => !name.startsWith("pool"));
}

const POLICY = "Overland routes packets and does not filter them; use a policy engine beside it";
const COMPUTED = "Overland keeps its own record of this; remove the document";

/** Kinds of Calico's that are refused, and why. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  IPAMConfig: "this is how Calico stores it; write the document as an IPAMConfiguration",
  CalicoNodeStatus: "not supported; ask a node itself with `overland node status`",
  FelixConfiguration: "there is no Felix here; the agent is configured by /etc/overland/agent.yaml",
  KubeControllersConfiguration: "not supported by Overland yet; remove the document",
  ClusterInformation: COMPUTED,
  WorkloadEndpoint: COMPUTED,
  IPAMBlock: COMPUTED,
  BlockAffinity: COMPUTED,
  IPAMHandle: COMPUTED,
  NetworkPolicy: POLICY,
  GlobalNetworkPolicy: POLICY,
  StagedNetworkPolicy: POLICY,
  StagedGlobalNetworkPolicy: POLICY,
  StagedKubernetesNetworkPolicy: POLICY,
  Tier: POLICY,
  NetworkSet: POLICY,
  GlobalNetworkSet: POLICY,
  HostEndpoint: POLICY,
  Profile: POLICY,
};

export function isKind(name: string): name is Kind {
  return (KINDS as readonly string[]).includes(name);
}

/** The kind a person means by `bgppeer`, `BGPPeers`, `bgpp`, `pool`; undefined when there is none. */
export function kindCalled(name: string): Kind | undefined {
  const wanted = name.toLowerCase();
  return KINDS.find(
    (kind) => kind.toLowerCase() === wanted || PLURALS[kind] === wanted || SHORT_NAMES[kind].includes(wanted),
  );
}

/** Why a kind of Calico's is refused, in words; undefined for a kind nobody knows. Case does not matter. */
export function whyUnsupported(name: string): string | undefined {
  const wanted = name.toLowerCase();
  const found = Object.entries(UNSUPPORTED).find(([kind]) =>
    [kind, `${kind}s`].some((k) => k.toLowerCase() === wanted),
  );
  return found?.[1];
}
