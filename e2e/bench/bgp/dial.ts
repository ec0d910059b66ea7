/** Gets all sessions up, however long the device takes to listen, with so many attempts at a time. */
import type { Session } from "./session.ts";

const PAUSE_MS = 50;
/**
 * A device with a short queue of its own drops connections that the kernel has told us are there, when many come at
 * once. Nobody would hear of that for minutes: so try again.
 */
const ANSWER_MS = 2000;

/** Resolves when all are up. */
export async function dialAll(sessions: readonly Session[], atOnce: number, deadline: number): Promise<void> {
  const queue = [...sessions];
  const dialler = async (): Promise<void> => {
    for (let session = queue.shift(); session !== undefined; session = queue.shift()) await dial(session, deadline);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, sessions.length) }, dialler));
}

async function dial(session: Session, deadline: number): Promise<void> {
  for (;;) {
    try {
      await session.dial(ANSWER_MS);
      return;
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`not established: ${(error as Error).message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
