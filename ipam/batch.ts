/** Many waiting requests, one transaction: each is drafted on top of the one before, as far as a transaction holds. */
import { Draft } from "./draft.ts";
import type { Need } from "./find-address.ts";
import type { Fresh, Step } from "./plan.ts";
import { Refusal } from "./refusal.ts";
import type { View } from "./view.ts";

/** One request under way. */
export interface Job {
  plan(draft: Draft, now: number, fresh: Fresh): Step<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
  /** The answer is being written; nothing is certain yet. */
  planned?(answer: unknown): void;
  /** For an assignment: whose. */
  readonly handle: string | undefined;
  /** Milliseconds since the epoch at which the request came in. */
  readonly since: number;
  /** Keys read since then. */
  readonly fresh: Set<string>;
  conflicts: number;
  failures: number;
  reads: number;
}

export interface Batch {
  readonly draft: Draft;
  /** To be answered when the draft is committed. */
  readonly planned: readonly { readonly job: Job; readonly answer: unknown }[];
  readonly refused: readonly { readonly job: Job; readonly refusal: Refusal }[];
  /** What the others wait for: keys to read, and whether the list of all blocks is needed. */
  readonly keys: ReadonlySet<string>;
  readonly list: boolean;
}

/** Jobs that do not fit any more are in none of the lists: their turn is the next batch. */
export function planBatch(view: View, jobs: readonly Job[], now: number): Batch {
  let draft = new Draft(view);
  const planned: { job: Job; answer: unknown }[] = [];
  const refused: { job: Job; refusal: Refusal }[] = [];
  const keys = new Set<string>();
  let list = false;
  const wait = (job: Job, need: Need): void => {
    job.reads++;
    if ("list" in need) list = true;
    else for (const key of need.read) keys.add(key);
  };
  for (const job of jobs) {
    const fork = draft.fork();
    const step = job.plan(fork, now, job.fresh);
    if ("need" in step) wait(job, step.need);
    else if ("refusal" in step) refused.push({ job, refusal: step.refusal });
    else if (fork.fits()) {
      draft = fork;
      planned.push({ job, answer: step.done });
    } else if (planned.length === 0) {
      refused.push({ job, refusal: new Refusal("too-large", "the request needs more than one transaction", false) });
    }
  }
  return { draft, planned, refused, keys, list };
}
