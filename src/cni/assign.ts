/** From a request to its addresses, and back: the same for pods wired here and for those of other main plugins. */

import { formatAddress } from "../../ipam/net/address.ts";
import type { Assigned } from "../../ipam/plan.ts";
import { type Attachment, pluginOf } from "./attachments.ts";
import { type CniContext, faultOf, messageOf } from "./context.ts";
import { CniCode, CniFault } from "./fault.ts";
import type { Identity } from "./identity.ts";
import { asThePodWishes } from "./pod-wishes.ts";
import type { CniRequest } from "./request.ts";

/** What the pod asks for in Kubernetes, before anything is done for it. */
export async function withWishes(context: CniContext, request: CniRequest, identity: Identity): Promise<CniRequest> {
  if (identity.namespace === "" || identity.pod === "") return request;
  const pod = await context.kubernetesPod?.(identity);
  return pod === undefined ? request : asThePodWishes(request, pod);
}

export async function assign(
  context: CniContext,
  { config, containerID, ifName, namespaceLabels }: CniRequest,
  { namespace, pod, uid, handle }: Identity,
  planned?: (addresses: readonly Assigned[]) => void,
): Promise<readonly Assigned[]> {
  const asked = {
    pools: [...config.pools[4], ...config.pools[6]],
    ...(namespaceLabels === undefined ? {} : { namespaceLabels }),
  };
  const families = config.families ?? context.families(asked);
  if (families.length === 0) {
    const todo = "apply an IPPool whose nodeSelector matches this node: overland get ippools";
    throw new CniFault(CniCode.TryAgainLater, "there is no IPPool that this node may take addresses from", todo);
  }
  const workload = {
    handle,
    containerID,
    ifName,
    ...(namespace === "" ? {} : { namespace }),
    ...(pod === "" ? {} : { pod }),
    ...(uid === "" ? {} : { uid }),
  };
  const { addresses } = config.askedFor;
  try {
    const exactly = addresses.length === 0 ? {} : { addresses };
    return await context.allocator.assign({ workload, families, ...asked, ...exactly }, planned);
  } catch (error) {
    throw faultOf(error);
  }
}

/** False when they are left, because etcd does not answer. */
export async function release(context: CniContext, handle: string): Promise<boolean> {
  try {
    await context.allocator.release(handle);
    return true;
  } catch (error) {
    context.log.warn("addresses are freed later", { handle, error: messageOf(error) });
    return false;
  }
}

/** A runtime that repeats its request may not ask for something else under the same name. */
export function checkSameAddresses(request: CniRequest, known: Attachment): void {
  const held = known.addresses.map(formatAddress);
  const asked = request.config.askedFor.addresses.map(formatAddress);
  if (asked.every((address) => held.includes(address))) return;
  const text = `container ${known.containerID} has ${known.ifName} already, with other addresses: DEL it first`;
  throw new CniFault(CniCode.WiringFailed, text, `it has ${held.join(", ")}; asked: ${asked.join(", ")}`);
}

/** How long CHECK waits for etcd. A pod whose wiring is sound works without it. */
const LOOK_UP_MS = 2_000;

/** Does the store say that the handle holds exactly these addresses? Nothing is said when it cannot be asked. */
export async function assignmentDifferences(context: CniContext, known: Attachment): Promise<string[]> {
  const { handle } = known;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LOOK_UP_MS} ms`)), LOOK_UP_MS);
  });
  try {
    const assigned = await Promise.race([context.allocator.assignmentsOf(handle), late]);
    const stored = assigned.map(({ address }) => formatAddress(address));
    const has = known.addresses.map(formatAddress);
    return [
      ...has
        .filter((address) => !stored.includes(address))
        .map((address) => `${address} is not held by ${handle} in etcd`),
      ...stored
        .filter((address) => !has.includes(address))
        .map((address) => `${handle} holds ${address} in etcd as well, which the pod does not have`),
    ];
  } catch (error) {
    context.log.warn("CHECK could not compare with etcd", { handle, error: messageOf(error) });
    return [];
  } finally {
    clearTimeout(timer);
  }
}

/** An interface of a container is wired here or by another main plugin: from what one has, the other keeps off. */
export function ownRecord(context: CniContext, { containerID, ifName, plugin }: CniRequest): Attachment | undefined {
  const known = context.attachments.get(containerID, ifName);
  return known !== undefined && pluginOf(known) === plugin ? known : undefined;
}

export function checkOwner(context: CniContext, { containerID, ifName, plugin }: CniRequest): void {
  const known = context.attachments.get(containerID, ifName);
  if (known === undefined || pluginOf(known) === plugin) return;
  const who = known.delegated === true ? "another plugin, with addresses from overland-ipam" : "overland itself";
  const text = `${ifName} of container ${containerID} is wired by ${who}: DEL it first`;
  throw new CniFault(CniCode.WiringFailed, text, `network ${known.network}`);
}

/** Frees what the request is about, unless the other kind has it: handles are made of names that it may share. */
export async function releaseOwn(context: CniContext, request: CniRequest, handle: string): Promise<boolean> {
  const other = context.attachments.get(request.containerID, request.ifName);
  if (other?.handle === handle && pluginOf(other) !== request.plugin) return true;
  return await release(context, handle);
}
