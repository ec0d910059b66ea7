/**
 * The port to the one shared state of a cluster: a small key-value store with revisions and transactions over several
 * keys, as etcd v3 offers it. What needs it (address management, resources, the node registry) knows only this file.
 */

/** The store's count of changes, taken when a key was last written; 0n: the key does not exist. */
export type Revision = bigint;

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly modRevision: Revision;
}

/** All of it happens, or none. At most {@link maxTransactionOperations} of each list; a key is written at most once. */
export interface Transaction {
  /** Every key must have exactly this revision, else nothing is done. */
  readonly expect: readonly { readonly key: string; readonly modRevision: Revision }[];
  readonly put: readonly { readonly key: string; readonly value: string }[];
  readonly delete: readonly string[];
}

export type Committed = { readonly committed: true; readonly revision: Revision } | { readonly committed: false };

export interface Store {
  /** One linearizable read of all keys, answered in their order. */
  get(keys: readonly string[]): Promise<readonly (Entry | undefined)[]>;
  /** Everything under the prefix in the order of keys, as it was at one revision. */
  list(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }>;
  /** The keys under the prefix, in order: cheap where values are large. */
  listKeys(prefix: string): Promise<readonly string[]>;
  /** Sent once, never repeated inside: see {@link StoreUnavailable.outcome}. */
  commit(transaction: Transaction): Promise<Committed>;
  /** First a snapshot, then changes; after any doubt (reconnect, compaction) a fresh snapshot. Returns stop(). */
  watch(prefix: string, listener: WatchListener): () => void;
  /** Ends every watch and frees connections. Calls made later fail with StoreUnavailable. */
  close(): Promise<void>;
}

export interface WatchListener {
  snapshot(entries: readonly Entry[], revision: Revision): void;
  /** An undefined entry: the key was deleted. */
  change(key: string, entry: Entry | undefined): void;
  /** The watch is lost for now and being repaired; a snapshot follows. */
  trouble(reason: string): void;
}

/** The store did not answer, or refused to: for a commit, `outcome` says whether it may have happened all the same. */
export class StoreUnavailable extends Error {
  readonly code = "STORE_UNAVAILABLE";
  readonly outcome: "not-applied" | "unknown";

  constructor(message: string, outcome: "not-applied" | "unknown") {
    super(message);
    this.name = "StoreUnavailable";
    this.outcome = outcome;
  }
}

/** True for a {@link StoreUnavailable}, also one from another realm, where instanceof fails. */
export function isStoreUnavailable(error: unknown): error is StoreUnavailable {
  return typeof error === "object" && error !== null && "code" in error && error.code === "STORE_UNAVAILABLE";
}

/** etcd's default for --max-txn-ops: it holds for the comparisons and for the operations, each on their own. */
export const maxTransactionOperations = 128;

/** Throws a RangeError for a transaction that no store takes: a fault of the program, not of the store. */
export function checkTransaction(transaction: Transaction): void {
  const { expect, put } = transaction;
  const operations = put.length + transaction.delete.length;
  if (expect.length > maxTransactionOperations || operations > maxTransactionOperations) {
    throw new RangeError(`transaction with ${expect.length} comparisons and ${operations} operations is too large`);
  }
  const written = new Set([...put.map(({ key }) => key), ...transaction.delete]);
  if (written.size !== operations) throw new RangeError("transaction writes a key twice");
}
