/**
 * The rules between fields in the API server's language (CEL, KEP 2876): twins of those in schema/*.ts. What has no
 * twin here is refused by the controller, with a status condition.
 *
 * A rule must be cheap: the API server refuses a definition whose rules could take long. Text and lists that a rule
 * looks into have a greatest length in the schema for that.
 */
import type { Kind } from "../kinds.ts";
import { DEFAULT_ONLY, SERVICE_RANGES } from "../schema/bgpconfiguration.ts";
import { NOT_FOR_LOCAL_WORKLOADS } from "../schema/bgppeer.ts";
import type { Validation } from "./structural.ts";

export interface PlacedRule extends Validation {
  /** "" is the resource itself; `spec.exportV4[]` each entry of that list. */
  readonly at: string;
  /** Fields that the rule reads: while one of them is refused altogether, and so has no type, the rule is left out. */
  readonly reads?: readonly string[];
}

const given = (field: string) => `(has(self.${field}) && self.${field} != '')`;

/** Fields of text that say nothing when they are empty. */
const MAY_BE_EMPTY: readonly string[] = ["peerIP", "peerSelector"];

const said = (field: string) => (MAY_BE_EMPTY.includes(field) ? given(field) : `has(self.${field})`);

function apart(one: string, other: string, message: string): PlacedRule {
  return { at: "spec", rule: `!(${given(one)} && ${given(other)})`, message };
}

const PEER: readonly PlacedRule[] = [
  apart("node", "nodeSelector", "nodeSelector: does not go with node; remove one of the two"),
  apart("peerSelector", "peerIP", "peerSelector: does not go with peerIP; remove one of the two"),
  {
    at: "spec",
    rule: `!(${given("peerSelector")} && has(self.asNumber))`,
    message: "asNumber: does not go with peerSelector: the AS is that of each node chosen; remove it",
  },
  {
    at: "spec",
    rule: `!(${given("peerSelector")} && has(self.passive) && self.passive)`,
    message: "passive: does not go with peerSelector: both ends would wait; remove it",
  },
  {
    at: "spec",
    rule: `${given("peerIP")} || ${given("peerSelector")} || ${given("localWorkloadSelector")}`,
    message:
      "peerIP: is required, unless peerSelector chooses other nodes or localWorkloadSelector the node's own pods",
  },
  {
    at: "spec",
    rule: `!${given("peerIP")} || ${given("peerSelector")} || has(self.asNumber)`,
    message: "asNumber: is required with peerIP",
  },
  {
    at: "spec",
    rule: `!${given("localWorkloadSelector")} || has(self.asNumber)`,
    message: "asNumber: is required with localWorkloadSelector: the AS of the pods",
  },
  ...NOT_FOR_LOCAL_WORKLOADS.map((field) => ({
    at: "spec",
    rule: `!(${given("localWorkloadSelector")} && ${said(field)})`,
    message: `${field}: does not go with localWorkloadSelector; remove it`,
    reads: [field],
  })),
  {
    at: "spec",
    rule: `!has(self.reversePeering) || ${given("peerSelector")}`,
    message: "reversePeering: needs peerSelector; remove it",
  },
  {
    at: "spec",
    rule: `!${given("reachableBy")} || ${given("peerIP")}`,
    message: "reachableBy: needs peerIP; add one, or remove it",
  },
  {
    at: "spec",
    // With a port IPv6 is in brackets, without one it has two colons at least.
    rule:
      `!${given("reachableBy")} || !${given("peerIP")} || ` +
      "self.reachableBy.contains(':') == self.peerIP.matches('^([[]|[^:]*:[^:]*:)')",
    message: "reachableBy: is not of the same family as peerIP; give a gateway of its family",
  },
  {
    at: "spec",
    rule: "!(has(self.keepOriginalNextHop) && self.keepOriginalNextHop && has(self.nextHopMode))",
    message: "keepOriginalNextHop: does not go with nextHopMode, which says all of it; remove keepOriginalNextHop",
  },
  {
    at: "spec",
    rule: "!(has(self.strictRole) && self.strictRole) || has(self.role)",
    message: "strictRole: needs role; add one, or remove it",
  },
  {
    at: "spec.maxPrefixes",
    rule: "!has(self.restartAfter) || (has(self.action) && self.action == 'restart')",
    message: "restartAfter: goes with action: restart; remove it, or set the action",
  },
  { at: "spec", rule: keepaliveRule(), message: "keepaliveTime: is not shorter than the hold time" },
];

function keepaliveRule(): string {
  const hold = "(type(self.holdTime) == int ? duration(string(self.holdTime) + 's') : duration(self.holdTime))";
  return (
    "!has(self.keepaliveTime) || !has(self.holdTime) || " +
    `${hold} == duration('0s') || duration(self.keepaliveTime) < ${hold}`
  );
}

function filterRules(list: string): PlacedRule[] {
  const at = `spec.${list}[]`;
  const six = list.endsWith("V6");
  const other = list.replace(/V[46]$/, six ? "V4" : "V6");
  const cidr = given("cidr");
  const operation = ["addCommunity", "prependASPath", "removeMED", "setPriority"];
  return [
    {
      at,
      rule: `!${cidr} || ${given("matchOperator")}`,
      message: "matchOperator: is required with cidr: Equal, NotEqual, In or NotIn",
    },
    {
      at,
      rule: `${cidr} || !${given("matchOperator")}`,
      message: "matchOperator: needs a cidr; add one, or remove it",
    },
    { at, rule: `${cidr} || !has(self.prefixLength)`, message: "prefixLength: needs a cidr; add one, or remove it" },
    {
      at,
      rule: `!${cidr} || ${six ? "" : "!"}self.cidr.contains(':')`,
      message: `cidr: is not IPv${six ? 6 : 4}; move the rule to ${other}`,
    },
    {
      at: `${at}.prefixLength`,
      rule: "!has(self.min) || !has(self.max) || self.min <= self.max",
      message: "max: is less than min",
    },
    {
      at,
      rule:
        `!has(self.prefixLength) || !has(self.prefixLength.max) || !${cidr} || !has(self.matchOperator) || ` +
        "!(self.matchOperator in ['In', 'NotIn']) || int(self.cidr.split('/')[1]) <= self.prefixLength.max",
      message: "prefixLength.max: is less than the length of cidr: nothing within it is so short",
    },
    {
      at,
      rule: "!has(self.communities) || size(self.communities.values) == 1",
      message: "communities.values: has to hold one community; write a rule for each, or remove communities",
    },
    {
      at,
      rule: "!has(self.operations) || self.action != 'Reject'",
      message: "operations: change a route that is let pass; remove them, or use action: Accept",
    },
    {
      at: `${at}.operations[]`,
      rule: `[${operation.map((field) => `has(self.${field})`).join(", ")}].filter(given, given).size() == 1`,
      message: `each entry does one thing: one of ${operation.join(", ")}`,
    },
    ...(list.startsWith("import")
      ? []
      : [
          {
            at: `${at}.operations[]`,
            rule: "!has(self.removeMED)",
            message: "removeMED: comes too late on the way out: MED is removed before routes are compared",
          },
        ]),
  ];
}

const BLOCK_SIZE = (pool: string) => `(has(${pool}.blockSize) ? ${pool}.blockSize : ${USUAL(pool)})`;
const USUAL = (pool: string) => `(${pool}.cidr.contains(':') ? 122 : 26)`;
const FOR_SERVICES = (pool: string) => `(has(${pool}.allowedUses) && 'LoadBalancer' in ${pool}.allowedUses)`;

const POOL: readonly PlacedRule[] = [
  { at: "spec", rule: "self.cidr == oldSelf.cidr", message: "cidr: cannot change; delete the pool, or make another" },
  {
    at: "spec",
    rule: `${BLOCK_SIZE("self")} == ${BLOCK_SIZE("oldSelf")}`,
    message: "blockSize: cannot change; delete the pool, or make another",
  },
  {
    at: "spec",
    rule: `${FOR_SERVICES("self")} == ${FOR_SERVICES("oldSelf")}`,
    message: "allowedUses: a pool cannot change from or to LoadBalancer; make another",
  },
  {
    at: "spec",
    rule:
      "!has(self.blockSize) || (self.cidr.contains(':') ? (self.blockSize >= 116 && self.blockSize <= 128) : " +
      "(self.blockSize >= 20 && self.blockSize <= 32))",
    message: "blockSize: from 20 to 32 is allowed for IPv4, from 116 to 128 for IPv6",
  },
  {
    at: "spec",
    rule: `(has(self.disabled) && self.disabled) || int(self.cidr.split('/')[1]) <= ${BLOCK_SIZE("self")}`,
    message: "cidr: is smaller than one block; give a larger blockSize, or use a larger range",
  },
  {
    at: "spec",
    rule: "!self.cidr.startsWith('169.254.') && !self.cidr.lowerAscii().startsWith('fe80:')",
    message: "cidr: is link-local; such addresses are never routed",
  },
  {
    at: "spec",
    rule: "!has(self.namespaceSelector) || !self.namespaceSelector.contains('global()')",
    message: "namespaceSelector: global() is not for namespaces; leave it empty for all",
  },
  {
    at: "spec",
    rule: "!has(self.allowedUses) || size(self.allowedUses) > 0",
    message: "allowedUses: is empty; remove it, or name Workload",
  },
  {
    at: "spec",
    rule: `!has(self.allowedUses) || !('Tunnel' in self.allowedUses) || !${given("namespaceSelector")}`,
    message: "allowedUses: Tunnel cannot go with a namespaceSelector; write [Workload]",
  },
  {
    at: "spec",
    rule: `!${FOR_SERVICES("self")} || size(self.allowedUses) == 1`,
    message: "allowedUses: LoadBalancer must stand alone; make another pool for pods",
  },
  {
    at: "spec",
    rule: `!${FOR_SERVICES("self")} || !has(self.nodeSelector) || self.nodeSelector == 'all()'`,
    message: "nodeSelector: must be all() in a pool for LoadBalancer; its addresses belong to no node",
  },
  {
    at: "spec",
    rule: `!${FOR_SERVICES("self")} || !has(self.disableBGPExport) || !self.disableBGPExport`,
    message: "disableBGPExport: cannot be true in a pool for LoadBalancer; remove it",
  },
];

const CONFIGURATION: readonly PlacedRule[] = [
  {
    at: "",
    rule: "self.metadata.name == 'default' || (self.metadata.name.startsWith('node.') && size(self.metadata.name) > 5)",
    message: 'metadata.name: is "default" for the cluster or "node.<node name>"',
  },
  ...DEFAULT_ONLY.map((field) => ({
    at: "",
    rule: `self.metadata.name == 'default' || !has(self.spec) || !has(self.spec.${field})`,
    message: `spec.${field}: only the BGPConfiguration "default" may set this`,
    reads: [field],
  })),
  ...["nodeMeshMaxRestartTime", "nodeMeshPassword"].map((field) => ({
    at: "spec",
    rule: `!has(self.nodeToNodeMeshEnabled) || self.nodeToNodeMeshEnabled || !has(self.${field})`,
    message: `${field}: has no meaning with nodeToNodeMeshEnabled: false; remove it`,
    reads: [field],
  })),
  {
    at: "spec",
    rule:
      "!has(self.communities) || size(self.communities) == 0" +
      ["prefixAdvertisements", ...SERVICE_RANGES]
        .map((field) => ` || (has(self.${field}) && size(self.${field}) > 0)`)
        .join(""),
    message:
      "communities: are names for use in prefixAdvertisements and by services, and there is neither; add one, or " +
      "remove them",
  },
];

export const CEL_RULES: Readonly<Record<Exclude<Kind, "Node">, readonly PlacedRule[]>> = {
  IPPool: POOL,
  IPReservation: [],
  IPAMConfiguration: [
    {
      at: "",
      rule: "self.metadata.name == 'default'",
      message: "metadata.name: is not default; there is one IPAMConfiguration, and it has this name",
    },
  ],
  BGPConfiguration: CONFIGURATION,
  BGPFilter: ["exportV4", "importV4", "exportV6", "importV6"].flatMap(filterRules),
  BGPPeer: PEER,
};

/** Lists whose entries differ, and by what: the API server sees to that itself. */
export const UNIQUE: Readonly<Record<string, readonly string[]>> = {
  "IPPool spec.allowedUses": [],
  "BGPPeer spec.filters": [],
  "BGPConfiguration spec.communities": ["name"],
};
