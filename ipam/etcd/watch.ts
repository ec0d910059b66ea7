/**
 * One watch that outlives its streams: list, tell the snapshot, follow the changes from the next revision on; after any
 * doubt begin again with the list.
 *
 * A stream is never resumed at a remembered revision. Resuming saves a list, and is where watches lose events: the
 * revision may be compacted, the token expired, the stream cut between "created" and its backlog. A fresh snapshot is
 * right in every case, and what is watched here (resources, one node's records) is small.
 */
import type { Entry, Revision, WatchListener } from "../store.ts";

export interface StreamHandlers {
  /** etcd has accepted the watch. */
  ready(): void;
  change(key: string, entry: Entry | undefined): void;
  /** The stream is over, for whatever reason. */
  over(reason: string): void;
}

export interface WatchSource {
  list(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }>;
  /** Opens a stream of changes from this revision on; returns its cancel(). */
  open(prefix: string, from: Revision, handlers: StreamHandlers): Promise<() => void>;
}

const firstPauseMs = 100;
const longestPauseMs = 5000;

export class PrefixWatch {
  readonly #source: WatchSource;
  readonly #prefix: string;
  readonly #listener: WatchListener;
  readonly #acceptWithinMs: number;
  #stopped = false;
  #failures = 0;
  #pause: NodeJS.Timeout | undefined;
  /** Ends the stream in use and makes its late events be ignored. */
  #abandon: () => void = () => {};

  constructor(source: WatchSource, prefix: string, listener: WatchListener, acceptWithinMs: number) {
    this.#source = source;
    this.#prefix = prefix;
    this.#listener = listener;
    this.#acceptWithinMs = acceptWithinMs;
    void this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pause);
    this.#abandon();
  }

  async #begin(): Promise<void> {
    let listed: Awaited<ReturnType<WatchSource["list"]>>;
    try {
      listed = await this.#source.list(this.#prefix);
    } catch (error) {
      this.#doubt((error as Error).message);
      return;
    }
    if (this.#stopped) return;
    this.#listener.snapshot(listed.entries, listed.revision);
    if (!this.#stopped) this.#follow(listed.revision + 1n);
  }

  #follow(from: Revision): void {
    let live = true;
    let cancel = (): void => {};
    const end = (): void => {
      live = false;
      clearTimeout(acceptance);
      cancel();
    };
    const over = (reason: string): void => {
      if (!live) return;
      end();
      this.#doubt(reason);
    };
    const acceptance = setTimeout(() => over("etcd does not answer the watch"), this.#acceptWithinMs);
    this.#abandon = end;
    const handlers: StreamHandlers = {
      ready: () => {
        clearTimeout(acceptance);
        this.#failures = 0;
      },
      change: (key, entry) => {
        if (live) this.#listener.change(key, entry);
      },
      over,
    };
    this.#source.open(this.#prefix, from, handlers).then(
      (opened) => {
        if (live) cancel = opened;
        else opened();
      },
      (error: Error) => over(error.message),
    );
  }

  #doubt(reason: string): void {
    if (this.#stopped) return;
    this.#listener.trouble(reason);
    if (this.#stopped) return;
    // Jitter spreads the lists of a whole cluster's nodes when etcd returns.
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#pause = setTimeout(() => void this.#begin(), pause);
  }
}
