/**
 * One change of a lab at a time.
 *
 * The lock is a listening socket in the abstract namespace: taking it is atomic, no file remains, and the kernel lets
 * go of it the moment its holder dies, however it dies. Whoever connects is told who holds it.
 */
import { connect, createServer } from "node:net";

export class LabBusy extends Error {
  readonly code = "LAB_BUSY";
}

const address = (lab: string): string => `\0overland-lab-${lab}`;

/** Takes the lock or says who has it. Returns the way to give it back. */
export async function lockLab(lab: string, purpose: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(`process ${process.pid} (${purpose})`);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address(lab), resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new LabBusy(`lab ${lab} is being changed by ${await holder(lab)}: wait for it, or end that process`);
  }
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Waits for a lock that is held only for moments. */
export async function lockLabWithin(lab: string, purpose: string, milliseconds: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      return await lockLab(lab, purpose);
    } catch (error) {
      if ((error as { code?: string }).code !== "LAB_BUSY" || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function holder(lab: string): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(address(lab));
    socket.setTimeout(500, () => socket.destroy());
    socket.on("data", (chunk) => {
      said += String(chunk);
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(said || "another process"));
  });
}
