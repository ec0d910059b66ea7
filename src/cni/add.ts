/**
 * ADD: addresses, durable in etcd, then the wiring, then the record. A step that fails undoes those before it.
 *
 * The order is what keeps an address from being lost or given twice: it is ours before anybody can use it, and it is
 * given back only when nothing carries it any more.
 */
import { statSync } from "node:fs";
import type { Assigned } from "../../ipam/plan.ts";
import { type WiredPod, WiringFault } from "../kernel/pod-wiring.ts";
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
    const assigned = await assign(context, wished, identity);
    const attachment = await wire(context, wished, identity, assigned);
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

async function wire(
  context: CniContext,
  request: CniRequest,
  { namespace, pod, uid, handle, hostInterface }: Identity,
  assigned: readonly Assigned[],
): Promise<Attachment> {
  const { containerID, ifName, netns, config } = request;
  const mtu = config.mtu ?? context.mtu();
  const { mac } = config.askedFor;
  const addresses = assigned.map(({ address }) => address);
  try {
    const wired: WiredPod = context.network.wire({
      ...{ netns, ifName, hostInterface, addresses, mtu },
      ...(mac === undefined ? {} : { mac }),
      ...(config.allowForwarding ? { forwarding: true } : isFirst(context, containerID) ? { forwarding: false } : {}),
    });
    const { hostMac, podMac } = wired;
    const attachment: Attachment = {
      ...{ containerID, ifName, network: config.name, handle, namespace, pod },
      ...{ netns, hostInterface, hostMac, podMac, mtu, addresses },
      ...(uid === "" ? {} : { uid }),
    };
    context.attachments.putAsOwner(attachment);
    return attachment;
  } catch (error) {
    await undo(context, request, { handle, hostInterface }, error);
    throw wiringFault(error);
  }
}

/** A further interface of a container leaves alone what the first one's configuration said about forwarding. */
function isFirst({ attachments }: CniContext, containerID: string): boolean {
  return !attachments.all().some((one) => one.containerID === containerID);
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
