/** A store on etcd that counts what is asked of it. */
import { openEtcdStore } from "../../../ipam/etcd/client.ts";
import type { Store } from "../../../ipam/store.ts";

export interface Counts {
  commits: number;
  reads: number;
}

export function countedStore(endpoint: string): { readonly store: Store; readonly counts: Counts } {
  const etcd = openEtcdStore({ endpoints: [endpoint], callTimeoutMs: 10_000 });
  const counts: Counts = { commits: 0, reads: 0 };
  const store: Store = {
    get(keys) {
      counts.reads++;
      return etcd.get(keys);
    },
    list(prefix) {
      counts.reads++;
      return etcd.list(prefix);
    },
    listKeys(prefix) {
      counts.reads++;
      return etcd.listKeys(prefix);
    },
    commit(transaction) {
      counts.commits++;
      return etcd.commit(transaction);
    },
    watch: (prefix, listener) => etcd.watch(prefix, listener),
    close: () => etcd.close(),
  };
  return { store, counts };
}
