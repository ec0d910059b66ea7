/** What the CNI commands work with. */
import type { Allocator } from "../../ipam/allocator.ts";
import type { Address, Family } from "../../ipam/net/address.ts";
import type { AssignRequest } from "../../ipam/plan.ts";
import { Refusal } from "../../ipam/refusal.ts";
import { isStoreUnavailable } from "../../ipam/store.ts";
import type { PodNetwork } from "../kernel/pod-wiring.ts";
import type { Log } from "../telemetry/log.ts";
import type { Attachment, Attachments } from "./attachments.ts";
import { CniCode, CniFault } from "./fault.ts";
import type { Identity } from "./identity.ts";
import type { Locks } from "./locks.ts";
import type { PendingDeletes } from "./pending-deletes.ts";
import type { KubernetesPod } from "./pod-wishes.ts";

export interface CniContext {
  readonly allocator: Pick<Allocator, "assign" | "release" | "assignmentsOf">;
  readonly network: Pick<PodNetwork, "begin" | "unwire" | "check">;
  readonly attachments: Attachments;
  readonly pending: PendingDeletes;
  readonly locks: Locks;
  readonly log: Log;
  /** Families that some pool of this node serves, of those a pod may use or names. */
  families(asked: Pick<AssignRequest, "pools" | "namespaceLabels">): readonly Family[];
  /**
   * What Kubernetes says of the pod: undefined where it knows none. Throws CniFault when it cannot be asked. Absent:
   * there is no Kubernetes.
   */
  kubernetesPod?(pod: Pick<Identity, "namespace" | "pod" | "uid">): Promise<KubernetesPod | undefined>;
  /** Of the node's uplink. */
  mtu(): number;
  /** A pod with these addresses came or went. */
  changed(addresses: readonly Address[]): void;
  /** Why pods cannot be served now, in words; undefined: they can. */
  unavailable(): string | undefined;
}

/** What differs from what ADD made, in words. The MAC address is compared where one is given. */
export function wiringDifferences(context: CniContext, attachment: Attachment, mac?: string): string[] {
  const { netns, ifName, hostInterface, podMac, addresses, mtu } = attachment;
  if (hostInterface === "") return ["a newer sandbox of the same pod has its host interface"];
  const wiring = { netns, ifName, hostInterface, addresses, mtu, ...(mac === undefined ? {} : { mac }) };
  return context.network.check(wiring, mac !== undefined && mac !== podMac);
}

/** What keeps a pod from its address, as CNI says it: code 11 where the same request may succeed later. */
export function faultOf(error: unknown): CniFault {
  if (error instanceof CniFault) return error;
  if (isStoreUnavailable(error)) {
    return new CniFault(CniCode.TryAgainLater, "etcd does not answer, so no address can be recorded", messageOf(error));
  }
  if (error instanceof Refusal) {
    const code = error.retryable ? CniCode.TryAgainLater : CniCode.NoAddress;
    return new CniFault(code, error.message, `refused: ${error.code}`);
  }
  return new CniFault(CniCode.IoFailure, messageOf(error));
}

export function messageOf(error: unknown): string {
  return (error as { message?: string } | undefined)?.message ?? String(error);
}
