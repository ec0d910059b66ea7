/**
 * DEL: the wiring first, then the addresses, then the record; each step is done already if it finds nothing.
 *
 * It never fails for want of anybody: with etcd away what is left to do is written down and done later.
 */
import { identityOf } from "./add.ts";
import type { Attachment } from "./attachments.ts";
import { type CniContext, messageOf } from "./context.ts";
import { CniFault } from "./fault.ts";
import { type CniRequest, readRequest } from "./request.ts";

export async function del(context: CniContext, request: CniRequest): Promise<string> {
  const { containerID, ifName, config } = request;
  const known = context.attachments.get(containerID, ifName);
  const { hostInterface, handle } = known ?? identityOf(request);
  await context.locks.run(hostInterface, async () => {
    // A newer sandbox of the same pod has the interface of the same name: it is no longer this container's.
    if (!isOfAnother(context, hostInterface, containerID, ifName)) await context.network.unwire(hostInterface);
    try {
      await context.allocator.release(handle);
    } catch (error) {
      context.pending.add(containerID, ifName, config.name);
      context.log.warn("addresses are freed later", { handle, error: messageOf(error) });
    }
    if (known !== undefined) context.attachments.delete(containerID, ifName);
  });
  if (known !== undefined) context.changed();
  return "";
}

function isOfAnother(context: CniContext, hostInterface: string, containerID: string, ifName: string): boolean {
  const same = (one: Attachment) => one.containerID === containerID && one.ifName === ifName;
  return context.attachments.all().some((one) => one.hostInterface === hostInterface && !same(one));
}

/** Finishes what was left; returns how many are left still. */
export async function finishPending(context: CniContext): Promise<number> {
  for (const name of context.pending.list()) {
    try {
      const request = readRequest(context.pending.read(name));
      if (request.command !== "DEL") throw new CniFault(0, `${request.command} cannot be done later`);
      // Taken away first: DEL writes it anew if it still cannot be finished.
      context.pending.done(name);
      await del(context, request);
    } catch (error) {
      context.log.error("a recorded DEL makes no sense and is set aside", { file: name, error: messageOf(error) });
      context.pending.setAside(name);
    }
  }
  return context.pending.list().length;
}
