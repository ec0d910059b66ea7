/**
 * One scenario at a time on a machine, also when two people run them: the labs' names are fixed, and two runs would
 * clear
 * each other's away. The turn is a listening socket in the abstract namespace, which the kernel frees however we end.
 */
import { createServer, type Server } from "node:net";
import { eventually } from "./wait.ts";

const ADDRESS = "\0overland-e2e";
const PATIENCE_S = 280;

/** Jest's limit for the hook that waits for the turn. */
export const TURN_LIMIT_MS = (PATIENCE_S + 60) * 1000;

export function takeTurn(): Promise<() => Promise<void>> {
  return eventually("another run of the end-to-end scenarios on this machine lets us go on", PATIENCE_S, async () => {
    const server = await listening();
    return () => new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

function listening(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.unref().listen(ADDRESS, () => resolve(server));
  });
}
