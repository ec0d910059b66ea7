/** Which columns the table of each kind has: those of calicoctl, so that eyes and scripts find what they know. */
import type { Kind } from "../config/kinds.ts";
import type {
  BGPConfigurationResource,
  BGPFilterResource,
  BGPPeerResource,
  IPAMConfigurationResource,
  IPPoolResource,
  IPReservationResource,
  NodeResource,
  Resource,
} from "../config/resource.ts";
import type { Column } from "./table.ts";

const name: Column<Resource> = { title: "NAME", cell: ({ metadata }) => metadata.name };

/** `asNumber` is the AS of nodes that have none of their own. */
export function columnsOf(kind: Kind, wide: boolean, asNumber: number): readonly Column<Resource>[] {
  switch (kind) {
    case "IPPool":
      return [name, ...(wide ? WIDE_POOL : POOL)] as readonly Column<Resource>[];
    case "IPReservation":
      return [name, ...RESERVATION] as readonly Column<Resource>[];
    case "IPAMConfiguration":
      return [name, ...IPAM] as readonly Column<Resource>[];
    case "BGPFilter":
      return [name, ...FILTER] as readonly Column<Resource>[];
    case "BGPPeer":
      return [name, ...(wide ? WIDE_PEER : PEER)] as readonly Column<Resource>[];
    case "BGPConfiguration":
      return [name, ...CONFIGURATION] as readonly Column<Resource>[];
    case "Node":
      return [name, ...(wide ? wideNode(asNumber) : [])] as readonly Column<Resource>[];
  }
}

const POOL: readonly Column<IPPoolResource>[] = [
  { title: "CIDR", cell: ({ spec }) => spec.cidr },
  { title: "SELECTOR", cell: ({ spec }) => spec.nodeSelector },
];

const WIDE_POOL: readonly Column<IPPoolResource>[] = [
  { title: "CIDR", cell: ({ spec }) => spec.cidr },
  { title: "NAT", cell: ({ spec }) => String(spec.natOutgoing) },
  { title: "IPIPMODE", cell: () => "Never" },
  { title: "VXLANMODE", cell: () => "Never" },
  { title: "DISABLED", cell: ({ spec }) => String(spec.disabled) },
  { title: "DISABLEBGPEXPORT", cell: ({ spec }) => String(spec.disableBGPExport) },
  { title: "SELECTOR", cell: ({ spec }) => spec.nodeSelector },
  { title: "ASSIGNMENTMODE", cell: ({ spec }) => spec.assignmentMode },
  { title: "ALLOWEDUSES", cell: ({ spec }) => spec.allowedUses.join(",") },
];

const RESERVATION: readonly Column<IPReservationResource>[] = [
  { title: "RESERVEDCIDRS", cell: ({ spec }) => spec.reservedCIDRs.join(",") || "-" },
];

const IPAM: readonly Column<IPAMConfigurationResource>[] = [
  { title: "STRICTAFFINITY", cell: ({ spec }) => String(spec.strictAffinity) },
  { title: "MAXBLOCKSPERHOST", cell: ({ spec }) => spec.maxBlocksPerHost },
  { title: "IPCOOLDOWNSECONDS", cell: ({ spec }) => spec.ipCooldownSeconds },
];

const PEER: readonly Column<BGPPeerResource>[] = [
  { title: "PEERIP", cell: ({ spec }) => spec.peerIP || spec.peerSelector || spec.localWorkloadSelector },
  { title: "NODE", cell: ({ spec }) => spec.node || spec.nodeSelector || "(global)" },
  { title: "ASN", cell: ({ spec }) => spec.asNumber },
];

const WIDE_PEER: readonly Column<BGPPeerResource>[] = [
  ...PEER,
  { title: "LOCALASN", cell: ({ spec }) => spec.localASNumber ?? "-" },
  { title: "FILTERS", cell: ({ spec }) => (spec.filters ?? []).join(",") || "-" },
];

/** How many rules each list has. */
const FILTER: readonly Column<BGPFilterResource>[] = [
  { title: "IMPORTV4", cell: ({ spec }) => spec.importV4?.length ?? 0 },
  { title: "EXPORTV4", cell: ({ spec }) => spec.exportV4?.length ?? 0 },
  { title: "IMPORTV6", cell: ({ spec }) => spec.importV6?.length ?? 0 },
  { title: "EXPORTV6", cell: ({ spec }) => spec.exportV6?.length ?? 0 },
];

const CONFIGURATION: readonly Column<BGPConfigurationResource>[] = [
  { title: "LOGSEVERITY", cell: ({ spec }) => spec.logSeverityScreen },
  {
    title: "MESHENABLED",
    cell: ({ spec }) => (spec.nodeToNodeMeshEnabled === undefined ? "-" : String(spec.nodeToNodeMeshEnabled)),
  },
  { title: "ASNUMBER", cell: ({ spec }) => spec.asNumber ?? "-" },
];

function wideNode(asNumber: number): readonly Column<NodeResource>[] {
  return [
    { title: "ASN", cell: ({ spec }) => spec.bgp?.asNumber ?? `(${asNumber})` },
    { title: "IPV4", cell: ({ spec }) => spec.bgp?.ipv4Address },
    { title: "IPV6", cell: ({ spec }) => spec.bgp?.ipv6Address },
  ];
}
