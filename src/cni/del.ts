/**
 * DEL: the wiring first, then the addresses, then the record; each step is done already if it finds nothing.
 *
 * It never fails for want of anybody: with etcd away what is left to do is written down and done later.
 */
import { existsSync } from "node:fs";
import { ownRecord, releaseOwn } from "./assign.ts";
import { type CniContext, messageOf } from "./context.ts";
import { CniCode, CniFault } from "./fault.ts";
import { attachmentName, identityOf } from "./identity.ts";
import { type CniRequest, readRequest } from "./request.ts";

export async function del(context: CniContext, request: CniRequest): Promise<string> {
  await context.locks.run(attachmentName(request), async () => {
    if (await finished(context, request)) context.pending.done(attachmentName(request));
    else context.pending.add(request, request.config.name);
  });
  return "";
}

/** False when addresses are left, because etcd does not answer. */
async function finished(context: CniContext, request: CniRequest): Promise<boolean> {
  return request.plugin === "overland" ? await unwired(context, request) : await givenBack(context, request);
}

/** Of an address delegate: the main plugin has removed the interface, or does so next. */
async function givenBack(context: CniContext, request: CniRequest): Promise<boolean> {
  const { containerID, ifName } = request;
  const known = ownRecord(context, request);
  const released = await releaseOwn(context, request, known?.handle ?? identityOf(request).handle);
  if (known !== undefined) {
    context.attachments.delete(containerID, ifName);
    context.changed(known.addresses);
  }
  return released;
}

async function unwired(context: CniContext, request: CniRequest): Promise<boolean> {
  const { containerID, ifName } = request;
  const identity = identityOf(request);
  const known = ownRecord(context, request);
  const hostInterface = known?.hostInterface || identity.hostInterface;
  return await context.locks.run(hostInterface, async () => {
    // Asked now: another sandbox of the same pod may have been wired while this one waited.
    if (isNobodyElses(context, hostInterface, request)) await context.network.unwire(hostInterface);
    const released = await releaseOwn(context, request, known?.handle ?? identity.handle);
    if (known !== undefined) {
      context.attachments.delete(containerID, ifName);
      context.changed(known.addresses);
    }
    return released;
  });
}

/** The newest sandbox of a pod has the interface of that name. */
function isNobodyElses(context: CniContext, hostInterface: string, { containerID, ifName }: CniRequest): boolean {
  const owner = context.attachments.ownerOf(hostInterface);
  return owner === undefined || (owner.containerID === containerID && owner.ifName === ifName);
}

/** A DEL that was written down comes before the ADD that follows it: done later it would undo that. */
export async function finishEarlierDel(context: CniContext, request: CniRequest): Promise<void> {
  if (await finishRecorded(context, attachmentName(request))) return;
  throw new CniFault(CniCode.TryAgainLater, `an earlier DEL of container ${request.containerID} is not finished yet`);
}

/**
 * A container that is started anew under its old ID although nobody asked for the DEL, as `ctr run --detach` has it.
 * Its old namespace is gone, so nothing can be using what it had.
 */
export async function makeUpForMissingDel(context: CniContext, request: CniRequest): Promise<void> {
  const { containerID, ifName, netns } = request;
  const known = context.attachments.get(containerID, ifName);
  if (known === undefined || known.netns === netns) return;
  // Where the new one cannot be seen either, the agent does not see the host's namespaces at all.
  if (existsSync(known.netns) || !existsSync(netns)) return;
  context.log.info("a container is started anew without a DEL of what it had", { containerID, ifName });
  if (await finished(context, request)) return;
  context.pending.add(request, request.config.name);
  throw new CniFault(CniCode.TryAgainLater, `the addresses that container ${containerID} had cannot be freed yet`);
}

/** Finishes what was left; returns how many are left still. */
export async function finishPending(context: CniContext): Promise<number> {
  for (const name of context.pending.list()) {
    try {
      await context.locks.run(name, () => finishRecorded(context, name));
    } catch (error) {
      context.log.warn("a recorded DEL cannot be finished yet", { file: name, error: messageOf(error) });
    }
  }
  return context.pending.list().length;
}

/** False when it is not finished. Its file goes last: an agent that ends in between does it once more. */
async function finishRecorded(context: CniContext, name: string): Promise<boolean> {
  const request = readRecorded(context, name);
  if (request === undefined) return true;
  if (!(await finished(context, request))) return false;
  context.pending.done(name);
  return true;
}

function readRecorded(context: CniContext, name: string): CniRequest | undefined {
  const body = context.pending.read(name);
  if (body === undefined) return undefined;
  try {
    const request = readRequest(body);
    if (request.command !== "DEL") throw new CniFault(0, `${request.command} cannot be done later`);
    return request;
  } catch (error) {
    context.log.error("a recorded DEL makes no sense and is set aside", { file: name, error: messageOf(error) });
    context.pending.setAside(name);
    return undefined;
  }
}
