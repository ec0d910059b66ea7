/** Waiting until what the receivers hold is right and stays so, while doing nothing that could delay what arrives. */
import type { Recording } from "./recording.ts";
import type { View } from "./view.ts";

/** No octet for so long: the wire is quiet enough to read what was recorded. */
const QUIET_MS = 40;
/** Then in portions, so that what arrives meanwhile is stamped at most so much too late. */
const PORTION_MS = 3;
/** Right means: still right after this. */
const STAY_MS = 300;
const MOST_UNREAD = 256 << 20;

export interface Patience {
  /** ms of performance.now() */
  readonly deadline: number;
  /** Called again and again; throws when there is nothing to wait for any more. */
  readonly check: () => void;
}

/** The arrival time of the octets that made the view right; undefined: it did not become right. */
export async function untilRight(recording: Recording, view: View, patience: Patience): Promise<number | undefined> {
  let rightSince = view.wrong === 0 ? performance.now() : undefined;
  for (;;) {
    patience.check();
    const reading = recording.waiting > 0 && isQuiet(recording);
    await new Promise((resolve) => (reading ? setImmediate(resolve) : setTimeout(resolve, 5)));
    const now = performance.now();
    while (isQuiet(recording) && performance.now() < now + PORTION_MS) {
      const chunk = recording.next();
      if (chunk === undefined) break;
      view.read(chunk.session, chunk.bytes, chunk.time);
      if (view.wrong > 0) rightSince = undefined;
      else rightSince ??= chunk.time;
    }
    const settled = recording.waiting === 0 && rightSince !== undefined && now - rightSince > STAY_MS;
    if (settled) return rightSince;
    if (now > patience.deadline) return undefined;
  }
}

function isQuiet({ lastArrival, waiting }: Recording): boolean {
  return performance.now() - lastArrival > QUIET_MS || waiting > MOST_UNREAD;
}
