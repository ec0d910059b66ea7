/**
 * Settings of one node as annotations of its Kubernetes Node: Overland's own, or those of Calico. Read with the same
 * checks as a Node resource; one that cannot be read says so and counts as absent.
 */
import { z } from "zod";
import { asNumber, clusterID, nodeAddress } from "./schema/fields.ts";

type Texts = Readonly<Record<string, string>>;

export interface NodeAnnotations {
  readonly asNumber?: number;
  readonly clusterID?: string;
  /** As in a Node resource; Calico writes its own for every node. */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  /** What a cordon means for the network. */
  readonly onCordon?: "nothing" | "services" | "drain";
  /** Present: the node is to be drained; words for the peers. */
  readonly drain?: string;
  /** In words. */
  readonly problems: readonly string[];
}

export const DRAIN_ANNOTATION = "overland.dev/drain";
export const CORDON_ANNOTATION = "overland.dev/withdraw-on-cordon";

const cordon = z
  .enum(["true", "services", "false"], { error: 'is not "true", "services" or "false"' })
  .transform((word) => ({ true: "drain", services: "services", false: "nothing" })[word] as "drain");

/** Of several names the first that is there counts. */
const SETTINGS = {
  asNumber: { names: ["overland.dev/as-number", "projectcalico.org/ASNumber"], schema: asNumber },
  clusterID: {
    names: ["overland.dev/route-reflector-cluster-id", "projectcalico.org/RouteReflectorClusterID"],
    schema: clusterID,
  },
  ipv4Address: { names: ["overland.dev/ipv4-address", "projectcalico.org/IPv4Address"], schema: nodeAddress(4) },
  ipv6Address: { names: ["overland.dev/ipv6-address", "projectcalico.org/IPv6Address"], schema: nodeAddress(6) },
  onCordon: { names: [CORDON_ANNOTATION], schema: cordon },
} as const;

export function readNodeAnnotations(annotations: Texts): NodeAnnotations {
  const problems: string[] = [];
  const found: Record<string, unknown> = {};
  for (const [field, { names, schema }] of Object.entries(SETTINGS)) {
    const name = names.find((one) => (annotations[one] ?? "").trim() !== "");
    if (name === undefined) continue;
    const text = (annotations[name] as string).trim();
    const read = schema.safeParse(text);
    if (read.success) found[field] = read.data;
    else problems.push(`annotation ${name} of the Kubernetes Node: ${faultOf(read.error, text)}`);
  }
  const drain = annotations[DRAIN_ANNOTATION];
  return { ...(found as Omit<NodeAnnotations, "problems">), ...(drain !== undefined && { drain }), problems };
}

function faultOf(error: z.ZodError, text: string): string {
  const message = error.issues[0]?.message ?? "cannot be read";
  return message.startsWith("is ") ? `${JSON.stringify(text)} ${message}` : message;
}
