/** A command's connection to etcd: opened for one piece of work, closed after it, its troubles put in a sentence. */
import type { EtcdOptions } from "../../ipam/etcd/client.ts";
import { isStoreUnavailable, type Store } from "../../ipam/store.ts";
import { AGENT_CONFIG_FILE, SETTINGS } from "../config/agent-settings.ts";
import { loadClientConfig } from "../config/config-file.ts";
import { Failure } from "./failure.ts";
import { flagsOf, type OptionValues } from "./options.ts";

export async function withStore<T>(options: OptionValues, work: (store: Store) => Promise<T>): Promise<T> {
  const etcd = requireEtcd(clientConfig(options).etcd);
  const store = await open(etcd);
  try {
    return await work(store);
  } catch (error) {
    if (!isStoreUnavailable(error)) throw error;
    const maybe = error.outcome === "unknown" ? "; whether the change was made is not known, so run this again" : "";
    throw new Failure(`etcd at ${etcd.endpoints.join(", ")} cannot be used: ${error.message}${maybe}`);
  } finally {
    await store.close();
  }
}

export function requireEtcd<T>(etcd: T | undefined): T {
  if (etcd !== undefined) return etcd;
  const ways = `--etcd-endpoints, $ETCD_ENDPOINTS, or etcd.endpoints in ${AGENT_CONFIG_FILE}`;
  throw new Failure(`no etcd endpoint is known; give one by ${ways}`, 2);
}

export function clientConfig(options: OptionValues) {
  const loaded = loadClientConfig(flagsOf(options, SETTINGS), options["config"] as string | undefined);
  if ("faults" in loaded) throw new Failure(loaded.faults.join("\n"), 2);
  return loaded.config;
}

async function open(etcd: EtcdOptions): Promise<Store> {
  // Loaded here and not above: its packages take longer than all the rest, and `validate` needs none of it.
  const { openEtcdStore } = await import("../../ipam/etcd/client.ts");
  try {
    return openEtcdStore(etcd);
  } catch (error) {
    // A certificate that cannot be read, endpoints that do not go together: a mistake in the options.
    throw new Failure((error as Error).message, 2);
  }
}
