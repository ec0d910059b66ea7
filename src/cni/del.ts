/**
 * DEL: the wiring first, then the addresses, then the record; each step is done already if it finds nothing.
 *
 * It never fails for want of anybody: with etcd away what is left to do is written down and done later.
 */
import { identityOf } from "./add.ts";
import { type CniContext, messageOf } from "./context.ts";
import { CniFault } from "./fault.ts";
import { type CniRequest, readRequest } from "./request.ts";

export async function del(context: CniContext, request: CniRequest): Promise<string> {
  const { containerID, ifName, config } = request;
  if (!(await finished(context, request))) context.pending.add(containerID, ifName, config.name);
  return "";
}

/** False when addresses are left, because etcd does not answer. */
async function finished(context: CniContext, request: CniRequest): Promise<boolean> {
  const { containerID, ifName } = request;
  const identity = identityOf(request);
  const hostInterface = context.attachments.get(containerID, ifName)?.hostInterface || identity.hostInterface;
  return await context.locks.run(hostInterface, async () => {
    // Read again: an ADD may have been under way.
    const known = context.attachments.get(containerID, ifName);
    const isOurs = known === undefined ? !isTaken(context, hostInterface) : known.hostInterface === hostInterface;
    if (isOurs) await context.network.unwire(hostInterface);
    const released = await release(context, known?.handle ?? identity.handle);
    if (known !== undefined) {
      context.attachments.delete(containerID, ifName);
      context.changed();
    }
    return released;
  });
}

/** By another sandbox of the same pod, whose interface has the same name. */
function isTaken(context: CniContext, hostInterface: string): boolean {
  return context.attachments.all().some((one) => one.hostInterface === hostInterface);
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

/** Finishes what was left; returns how many are left still. */
export async function finishPending(context: CniContext): Promise<number> {
  for (const name of context.pending.list()) {
    const request = readPending(context, name);
    if (request === undefined) continue;
    try {
      // Taken away last: an agent that ends in between does it once more.
      if (await finished(context, request)) context.pending.done(name);
    } catch (error) {
      context.log.warn("a recorded DEL cannot be finished yet", { file: name, error: messageOf(error) });
    }
  }
  return context.pending.list().length;
}

function readPending(context: CniContext, name: string): CniRequest | undefined {
  try {
    const request = readRequest(context.pending.read(name));
    if (request.command !== "DEL") throw new CniFault(0, `${request.command} cannot be done later`);
    return request;
  } catch (error) {
    context.log.error("a recorded DEL makes no sense and is set aside", { file: name, error: messageOf(error) });
    context.pending.setAside(name);
    return undefined;
  }
}
