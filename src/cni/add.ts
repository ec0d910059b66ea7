/**
 * ADD: addresses, durable in etcd, and meanwhile a pair of links that has them; then the host's routes, then the
 * record. A step that fails undoes those before it.
 *
 * The order is what keeps an address from being lost or given twice: it is ours before anything reaches it, and it is
 * given back only when nothing carries it any more.
 */
import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type Address, sameAddress } from "../../ipam/net/address.ts";
import type { Assigned } from "../../ipam/plan.ts";
import { type Pair, type PodWiring, type WiredPod, WiringFault } from "../kernel/pod-wiring.ts";
import { assign, checkOwner, checkSameAddresses, withWishes } from "./assign.ts";
import type { Attachment } from "./attachments.ts";
import { type CniContext, faultOf, messageOf, wiringDifferences } from "./context.ts";
import { finishEarlierDel, makeUpForMissingDel } from "./del.ts";
import { CniCode, CniFault } from "./fault.ts";
import { attachmentName, type Identity, identityOf } from "./identity.ts";
import type { CniRequest } from "./request.ts";
import { addResult } from "./result.ts";

export function add(context: CniContext, request: CniRequest): Promise<string> {
  const identity = identityOf(request);
  const work = async () => {
    const known = context.attachments.get(request.containerID, request.ifName);
    checkOwner(context, request);
    if (known !== undefined) return repeated(context, request, known);
    checkNetns(request.netns);
    const wished = await withWishes(context, request, identity);
    const attachment = await attach(context, wished, identity);
    context.changed(attachment.addresses);
    return addResult(wished.config, attachment);
  };
  // First the container's requests in line, then those about an interface of the same name: see putAsOwner.
  return context.locks.run(attachmentName(request), async () => {
    await finishEarlierDel(context, request);
    await makeUpForMissingDel(context, request);
    return await context.locks.run(identity.hostInterface, work);
  });
}

/** A runtime that lost our answer asks again: it gets the same one as long as the pod is wired as recorded. */
function repeated(context: CniContext, request: CniRequest, known: Attachment): string {
  const { containerID, ifName } = request;
  if (known.netns !== request.netns) {
    const text = `container ${containerID} has ${ifName} already, in another network namespace: DEL it first`;
    throw new CniFault(CniCode.WiringFailed, text, `there: ${known.netns}; asked: ${request.netns}`);
  }
  checkSameAddresses(request, known);
  const differences = wiringDifferences(context, known);
  if (differences.length === 0) return addResult(request.config, known);
  const text = `container ${containerID} has ${ifName} already, but not as it was made: DEL it first`;
  throw new CniFault(CniCode.WiringFailed, text, differences.join("; "));
}

/** Before an address is spent on it. */
function checkNetns(netns: string): void {
  try {
    statSync(netns);
  } catch {
    throw new CniFault(CniCode.UnknownContainer, `the network namespace ${netns} does not exist`);
  }
}

/**
 * The pair is made and set up while etcd writes the addresses down. Until they are durable the host has no route to
 * them. An older sandbox of the pod keeps its link until the new one has addresses.
 */
async function attach(context: CniContext, request: CniRequest, identity: Identity): Promise<Attachment> {
  const { handle, hostInterface } = identity;
  const ends = endsOf(context, request, identity);
  const begin = (assigned: readonly Assigned[]): Begun => {
    const addresses = assigned.map(({ address }) => address);
    return { addresses, pair: context.network.begin({ ...ends, addresses }) };
  };
  let early: Promise<Begun> | undefined;
  const isFree = context.attachments.ownerOf(hostInterface) === undefined;
  const planned = (addresses: readonly Assigned[]) => {
    if (isFree) early ??= whileWritten(() => begin(addresses));
    // Nobody waits for it before the addresses are durable.
    early?.catch(() => undefined);
  };
  const assigned = await assign(context, request, identity, planned).catch(async (error: unknown) => {
    await abandon(context, early, hostInterface);
    throw error;
  });
  try {
    const begun = await early;
    // Others may have been faster: what is written in the end may differ from the plan.
    const { addresses, pair } = isFor(begun, assigned) ? begun : begin(assigned);
    return record(context, request, identity, { ...ends, addresses, ...pair.complete() });
  } catch (error) {
    await undo(context, request, { handle, hostInterface }, error);
    throw wiringFault(error);
  }
}

interface Begun {
  readonly addresses: readonly Address[];
  readonly pair: Pair;
}

function isFor(begun: Begun | undefined, assigned: readonly Assigned[]): begun is Begun {
  if (begun?.addresses.length !== assigned.length) return false;
  return begun.addresses.every((address, i) => sameAddress(address, (assigned[i] as Assigned).address));
}

/** Two turns later the transaction is on its way. */
async function whileWritten<T>(work: () => T): Promise<T> {
  await setImmediate();
  await setImmediate();
  return work();
}

function endsOf(context: CniContext, request: CniRequest, { hostInterface }: Identity) {
  const { netns, ifName, config } = request;
  const { mac } = config.askedFor;
  const mtu = config.mtu ?? context.mtu();
  return { netns, ifName, hostInterface, mtu, ...(mac !== undefined && { mac }), ...forwardingOf(context, request) };
}

function record(
  context: CniContext,
  { containerID, config }: CniRequest,
  { namespace, pod, uid, handle }: Identity,
  { netns, ifName, hostInterface, hostMac, podMac, mtu, addresses }: PodWiring & WiredPod,
): Attachment {
  const attachment: Attachment = {
    ...{ containerID, ifName, network: config.name, handle, namespace, pod },
    ...{ netns, hostInterface, hostMac, podMac, mtu, addresses },
    ...(uid === "" ? {} : { uid }),
  };
  context.attachments.putAsOwner(attachment);
  return attachment;
}

async function abandon(context: CniContext, early: Promise<Begun> | undefined, hostInterface: string): Promise<void> {
  const begun = await early?.catch(() => undefined);
  if (begun === undefined) return;
  await context.network.unwire(hostInterface).catch((error: unknown) => {
    // The next ADD of the pod, or the reconciliation, takes it away.
    context.log.warn("the link of a failed ADD is left", { link: hostInterface, error: messageOf(error) });
  });
}

/** A further interface of a container leaves alone what the first one's configuration said about forwarding. */
function forwardingOf({ attachments }: CniContext, { containerID, config }: CniRequest): { forwarding?: boolean } {
  if (config.allowForwarding) return { forwarding: true };
  return attachments.hasContainer(containerID) ? {} : { forwarding: false };
}

async function undo(
  context: CniContext,
  request: CniRequest,
  { handle, hostInterface }: Pick<Identity, "handle" | "hostInterface">,
  cause: unknown,
): Promise<void> {
  // A WiringFault has left nothing behind; after any other failure the pair may stand.
  if (!(cause instanceof WiringFault)) await context.network.unwire(hostInterface);
  try {
    await context.allocator.release(handle);
  } catch (error) {
    context.pending.add(request, request.config.name);
    context.log.warn("an address of a failed ADD is freed later", { handle, error: messageOf(error) });
  }
}

function wiringFault(error: unknown): CniFault {
  if (!(error instanceof WiringFault)) return faultOf(error);
  const missing = error.code === "netns-missing";
  const code = missing ? CniCode.UnknownContainer : CniCode.WiringFailed;
  return new CniFault(code, error.message, error.errno ?? error.code);
}
