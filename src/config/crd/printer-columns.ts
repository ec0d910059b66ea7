/** What `kubectl get` shows of each kind: Calico's columns, and whether the resource is in force. */
import type { Kind } from "../kinds.ts";

interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date";
  readonly jsonPath: string;
  /** 1: with -o wide only. */
  readonly priority?: 1;
}

const text = (name: string, field: string): Column => ({ name, type: "string", jsonPath: `.spec.${field}` });
const truth = (name: string, field: string): Column => ({ name, type: "boolean", jsonPath: `.spec.${field}` });
const number = (name: string, field: string): Column => ({ name, type: "integer", jsonPath: `.spec.${field}` });
const wide = (column: Column): Column => ({ ...column, priority: 1 });

const ACCEPTED = '.status.conditions[?(@.type=="Accepted")]';

const LAST: readonly Column[] = [
  { name: "Accepted", type: "string", jsonPath: `${ACCEPTED}.status` },
  { name: "Reason", type: "string", jsonPath: `${ACCEPTED}.message`, priority: 1 },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

// An AS number is a number or text: a column of the type string shows both.
export const COLUMNS: Readonly<Record<Exclude<Kind, "Node">, readonly Column[]>> = {
  IPPool: [
    text("CIDR", "cidr"),
    truth("NAT", "natOutgoing"),
    wide(truth("Disabled", "disabled")),
    wide(number("Block Size", "blockSize")),
    wide(text("Node Selector", "nodeSelector")),
    ...LAST,
  ],
  IPReservation: [text("Reserved CIDRs", "reservedCIDRs"), ...LAST],
  IPAMConfiguration: [
    truth("Strict Affinity", "strictAffinity"),
    number("Max Blocks Per Host", "maxBlocksPerHost"),
    number("Cooldown Seconds", "ipCooldownSeconds"),
    ...LAST,
  ],
  BGPConfiguration: [
    text("ASN", "asNumber"),
    truth("Mesh", "nodeToNodeMeshEnabled"),
    wide(number("Listen Port", "listenPort")),
    wide(text("Log Severity", "logSeverityScreen")),
    ...LAST,
  ],
  BGPFilter: [...LAST],
  BGPPeer: [
    text("Node Selector", "nodeSelector"),
    text("Node", "node"),
    text("Local ASN", "localASNumber"),
    text("Peer Selector", "peerSelector"),
    text("Peer IP", "peerIP"),
    text("Peer ASN", "asNumber"),
    wide(text("Filters", "filters")),
    ...LAST,
  ],
};
