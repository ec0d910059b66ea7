/**
 * DEL: the wiring first, then the addresses, then the record; each step is done already if it finds nothing.
 *
 * It never fails for want of anybody: with etcd away what is left to do is written down and done later.
 */
import { type CniContext, messageOf } from "./context.ts";
import { CniCode, CniFault } from "./fault.ts";
import { attachmentName, identityOf } from "./identity.ts";
import { type CniRequest, readRequest } from "./request.ts";

export async function del(context: CniContext, request: CniRequest): Promise<string> {
  const name = attachmentName(request);
  await context.locks.run(name, async () => {
    if (await finished(context, request)) context.pending.done(name);
    else context.pending.add(request.containerID, request.ifName, request.config.name);
  });
  return "";
}

/** False when addresses are left, because etcd does not answer. */
async function finished(context: CniContext, request: CniRequest): Promise<boolean> {
  const { containerID, ifName } = request;
  const identity = identityOf(request);
  const known = context.attachments.get(containerID, ifName);
  const hostInterface = known?.hostInterface || identity.hostInterface;
  return await context.locks.run(hostInterface, async () => {
    // Asked now: another sandbox of the same pod may have been wired while this one waited.
    if (isNobodyElses(context, hostInterface, request)) await context.network.unwire(hostInterface);
    const released = await release(context, known?.handle ?? identity.handle);
    if (known !== undefined) {
      context.attachments.delete(containerID, ifName);
      context.changed(known.addresses);
    }
    return released;
  });
}

/** The newest sandbox of a pod has the interface of that name. */
function isNobodyElses(context: CniContext, hostInterface: string, { containerID, ifName }: CniRequest): boolean {
  const owner = context.attachments.all().find((one) => one.hostInterface === hostInterface);
  return owner === undefined || (owner.containerID === containerID && owner.ifName === ifName);
}

async function release(context: CniContext, handle: string): Promise<boolean> {
  try {
    await context.allocator.release(handle);
    return true;
  } catch (error) {
    context.log.warn("addresses are freed later", { handle, error: messageOf(error) });
    return false;
  }
}

/** A DEL that was written down comes before the ADD that follows it: done later it would undo that. */
export async function finishEarlierDel(context: CniContext, { containerID, ifName }: CniRequest): Promise<void> {
  const name = attachmentName({ containerID, ifName });
  if (await finishRecorded(context, name)) return;
  throw new CniFault(CniCode.TryAgainLater, `an earlier DEL of container ${containerID} is not finished yet`);
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
