/**
 * The store on a real etcd v3; the only importer of etcd3, none of whose types leave this file.
 *
 * Used of etcd3 are its calls, its login and its connection, not its retries (they would apply a write twice), its
 * circuit breaker (it goes on refusing for seconds after etcd is back) and its watchers (they lose events at a
 * reconnect and die of a compaction). Every call has a deadline; one client per endpoint, kept as long as it answers.
 */
import { readFileSync } from "node:fs";
import { Etcd3, type IKeyValue, type IOptions, type IRangeResponse, type IRequestOp, Range } from "etcd3";
import {
  type Committed,
  checkTransaction,
  type Entry,
  maxTransactionOperations,
  type Revision,
  type Store,
  StoreUnavailable,
  type Transaction,
  type WatchListener,
} from "../store.ts";
import { mayPass, outcomeOf } from "./outcome.ts";
import { PrefixWatch, type StreamHandlers } from "./watch.ts";

export interface EtcdOptions {
  /** `http://10.1.1.1:2379`; https needs no more than that when the system knows the authority. */
  readonly endpoints: readonly string[];
  /** PEM files, read once. */
  readonly caCertFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly username?: string;
  readonly password?: string;
  /** How long any call may take in all, by default 3000 ms. */
  readonly callTimeoutMs?: number;
}

/** Connects with the first call, so this never waits. Throws for options that cannot work: no endpoint, no file. */
export function openEtcdStore(options: EtcdOptions): Store {
  return new EtcdStore(options);
}

const pageSize = 1000;

const neverAborted = { signal: new AbortController().signal };

/** Runs a call once and lets its error through: what etcd3 calls fault handling, without any. */
const once = {
  execute: async <T>(work: (context: { signal: AbortSignal }) => PromiseLike<T> | T): Promise<T> => work(neverAborted),
} as unknown as NonNullable<NonNullable<IOptions["faultHandling"]>["global"]>;

type Deadline = { readonly deadline: number };

class EtcdStore implements Store {
  readonly #endpoints: readonly string[];
  readonly #clients: readonly Etcd3[];
  readonly #callTimeoutMs: number;
  readonly #watches = new Set<PrefixWatch>();
  #current = 0;
  #closed = false;

  constructor(options: EtcdOptions) {
    if (options.endpoints.length === 0) throw new Error("no etcd endpoint is configured");
    this.#callTimeoutMs = options.callTimeoutMs ?? 3000;
    this.#endpoints = options.endpoints;
    this.#clients = options.endpoints.map((endpoint) => clientOf(endpoint, options, this.#callTimeoutMs));
  }

  async get(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    const entries: (Entry | undefined)[] = [];
    let revision: string | undefined;
    for (let i = 0; i < keys.length || i === 0; i += maxTransactionOperations) {
      const part = keys.slice(i, i + maxTransactionOperations);
      if (part.length === 0) return entries;
      // What does not fit one transaction is read at the revision of the first.
      const success = part.map((key) => ({
        request_range: { key: Buffer.from(key), ...(revision === undefined ? {} : { revision }) },
      }));
      const answer = await this.#read("read", (client, options) => client.kv.txn({ success }, options));
      revision ??= answer.header.revision;
      for (const response of answer.responses) {
        const found = response.response_range.kvs[0];
        entries.push(found && entryOf(found));
      }
    }
    return entries;
  }

  async list(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }> {
    const { revision, found } = await this.#range(prefix, false);
    return { revision, entries: found.map(entryOf) };
  }

  async listKeys(prefix: string): Promise<readonly string[]> {
    return (await this.#range(prefix, true)).found.map(({ key }) => key.toString());
  }

  async commit(transaction: Transaction): Promise<Committed> {
    checkTransaction(transaction);
    const compare = transaction.expect.map(({ key, modRevision }) => ({
      key: Buffer.from(key),
      target: "Mod" as const,
      result: "Equal" as const,
      mod_revision: String(modRevision),
    }));
    const success: IRequestOp[] = [
      ...transaction.put.map(({ key, value }) => ({
        request_put: { key: Buffer.from(key), value: Buffer.from(value) },
      })),
      ...transaction.delete.map((key) => ({ request_delete_range: { key: Buffer.from(key) } })),
    ];
    const answer = await this.#write("write", (client, options) => client.kv.txn({ compare, success }, options));
    return answer.succeeded ? { committed: true, revision: BigInt(answer.header.revision) } : { committed: false };
  }

  watch(prefix: string, listener: WatchListener): () => void {
    const open = (from: string, revision: Revision, handlers: StreamHandlers) => this.#stream(from, revision, handlers);
    const source = { list: (from: string) => this.list(from), open };
    const watch = new PrefixWatch(source, prefix, listener, this.#callTimeoutMs);
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    for (const client of this.#clients) client.close();
  }

  async #range(prefix: string, keysOnly: boolean): Promise<{ revision: Revision; found: IKeyValue[] }> {
    const { end } = Range.prefix(prefix);
    const found: IKeyValue[] = [];
    let start = Buffer.from(prefix);
    let revision: string | undefined;
    for (;;) {
      const request = { key: start, range_end: end, limit: pageSize, keys_only: keysOnly };
      const at = revision === undefined ? {} : { revision };
      const page: IRangeResponse = await this.#read("list", (client, options) =>
        client.kv.range({ ...request, ...at }, options),
      );
      revision ??= page.header.revision;
      found.push(...page.kvs);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { revision: BigInt(revision), found };
      start = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  async #stream(prefix: string, from: Revision, handlers: StreamHandlers): Promise<() => void> {
    const stream = await (this.#clients[this.#current] as Etcd3).watchClient.watch();
    stream
      .on("data", (answer) => {
        if (answer.canceled) {
          // A compacted revision comes with no reason but the revision that is left.
          const why = answer.cancel_reason === "" ? `compacted at ${answer.compact_revision}` : answer.cancel_reason;
          handlers.over(`etcd ended the watch: ${why}`);
          return;
        }
        if (answer.created) handlers.ready();
        for (const { type, kv } of answer.events) {
          handlers.change(kv.key.toString(), type === "Delete" ? undefined : entryOf(kv));
        }
      })
      .on("error", (error) => {
        this.#moveOn(this.#current);
        handlers.over(error.message);
      })
      .on("end", () => handlers.over("etcd closed the watch"));
    const range = Range.prefix(prefix);
    stream.write({ create_request: { key: range.start, range_end: range.end, start_revision: String(from) } });
    return () => stream.cancel();
  }

  /** Asks each endpoint in turn, all within one call's time. */
  async #read<T>(what: string, call: (client: Etcd3, options: Deadline) => Promise<T>): Promise<T> {
    const end = Date.now() + this.#callTimeoutMs;
    for (let left = this.#clients.length; ; left--) {
      const deadline = Date.now() + (end - Date.now()) / left;
      try {
        return await this.#attempt(what, deadline, call);
      } catch (error) {
        if (left === 1 || this.#closed || !mayPass((error as Error).message)) throw error;
      }
    }
  }

  /** Asks another endpoint only while it is certain that the write was not sent. */
  async #write<T>(what: string, call: (client: Etcd3, options: Deadline) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.#callTimeoutMs;
    for (let left = this.#clients.length; ; left--) {
      try {
        return await this.#attempt(what, deadline, call);
      } catch (error) {
        const certain = (error as StoreUnavailable).outcome === "not-applied" && mayPass((error as Error).message);
        if (left === 1 || this.#closed || !certain || Date.now() >= deadline) throw error;
      }
    }
  }

  async #attempt<T>(what: string, deadline: number, call: (client: Etcd3, o: Deadline) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreUnavailable(`etcd: ${what}: the store is closed`, "not-applied");
    const tried = this.#current;
    // grpc keeps the deadline of the call; this one also covers the login before it.
    let alarm: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      alarm = setTimeout(() => reject(new Error("no answer in time")), deadline - Date.now() + 200);
    });
    try {
      return await Promise.race([call(this.#clients[tried] as Etcd3, { deadline }), late]);
    } catch (error) {
      const { message } = error as Error;
      if (mayPass(message)) this.#moveOn(tried);
      throw new StoreUnavailable(`etcd at ${this.#endpoints[tried]}: ${what}: ${message}`, outcomeOf(message));
    } finally {
      clearTimeout(alarm);
    }
  }

  #moveOn(from: number): void {
    if (this.#current === from) this.#current = (from + 1) % this.#clients.length;
  }
}

function clientOf(endpoint: string, options: EtcdOptions, callTimeoutMs: number): Etcd3 {
  const file = (path: string | undefined): Buffer | undefined => (path === undefined ? undefined : readFileSync(path));
  const tls = {
    rootCertificate: file(options.caCertFile),
    privateKey: file(options.keyFile),
    certChain: file(options.certFile),
  };
  const { username, password } = options;
  const deadline = (): Deadline => ({ deadline: Date.now() + callTimeoutMs });
  return new Etcd3({
    hosts: [endpoint],
    faultHandling: { host: () => once, global: once },
    grpcOptions: {
      // etcd answers pings sent more often than every 5 s by hanging up (--grpc-keepalive-min-time).
      "grpc.keepalive_time_ms": 6000,
      "grpc.keepalive_timeout_ms": 3000,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
      "grpc.max_receive_message_length": 64 << 20,
      "grpc.service_config_disable_resolution": 1,
      // Statistics that nobody reads, and retries that nobody wants, at each call.
      "grpc.enable_channelz": 0,
      "grpc.enable_retries": 0,
      // A proxy for the web, as http_proxy names it, is no way to the cluster's own store.
      "grpc.enable_http_proxy": 0,
    },
    ...(Object.values(tls).some((part) => part !== undefined)
      ? { credentials: tls as NonNullable<IOptions["credentials"]> }
      : {}),
    ...(username === undefined ? {} : { auth: { username, password: password ?? "", callOptions: deadline } }),
  });
}

function entryOf(kv: IKeyValue): Entry {
  return { key: kv.key.toString(), value: kv.value.toString(), modRevision: BigInt(kv.mod_revision) };
}
