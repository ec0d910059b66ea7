/**
 * ADD: addresses, durable in etcd, and meanwhile a pair of links; then the addresses on it, then the record. A step
 * that fails undoes those before it.
 *
 * The order is what keeps an address from being lost or given twice: it is ours before any link has it, and it is given
 * back only when nothing carries it any more.
 */
import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
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
 * The pair is made while etcd writes the addresses down: it needs none of them. Until they are durable it stays down
 * and carries nothing. An older sandbox of the pod keeps its link until the new one has addresses.
 */
async function attach(context: CniContext, request: CniRequest, identity: Identity): Promise<Attachment> {
  const { handle, hostInterface } = identity;
  const ends = endsOf(context, request, identity);
  const begin = () => context.network.begin(ends);
  const assigning = assign(context, request, identity);
  const isFree = context.attachments.ownerOf(hostInterface) === undefined;
  const [assigned, pair] = await Promise.allSettled([assigning, isFree ? whileWritten(begin) : assigning.then(begin)]);
  if (assigned.status === "rejected") {
    if (pair.status === "fulfilled") await abandon(context, pair.value, hostInterface);
    throw assigned.reason;
  }
  try {
    if (pair.status === "rejected") throw pair.reason;
    const addresses = assigned.value.map(({ address }) => address);
    return record(context, request, identity, { ...ends, addresses, ...pair.value.complete(addresses) });
  } catch (error) {
    await undo(context, request, { handle, hostInterface }, error);
    throw wiringFault(error);
  }
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

async function abandon(context: CniContext, pair: Pair, hostInterface: string): Promise<void> {
  pair.leave();
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
