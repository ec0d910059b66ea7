/**
 * Addresses for services of type LoadBalancer, out of pools with allowedUses [LoadBalancer]: one look at all services.
 *
 * Who has which address is in etcd, under a handle that carries the service's uid: a service that goes, or comes again
 * under its name, finds no address of a former one. What Kubernetes shows is written after it, so no address is ever
 * shown for two.
 */
import { createHash } from "node:crypto";
import { Allocator, type AllocatorPorts, type Assigned } from "../../ipam/allocator.ts";
import { handleOfKey, handlesRoot } from "../../ipam/keys.ts";
import { type Address, formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { containsAddress, familyOfPrefix } from "../../ipam/net/prefix.ts";
import { type Pool, selectsNamespaces } from "../../ipam/pool.ts";
import { Refusal } from "../../ipam/refusal.ts";
import type { Rules } from "../../ipam/rules.ts";
import type { Labels } from "../../ipam/selector.ts";
import { LOAD_BALANCER } from "../../ipam/virtual-node.ts";
import { type Cluster, SERVICES } from "../cluster/port.ts";
import type { AddressWish } from "../services/address-wish.ts";
import type { Log } from "../telemetry/log.ts";
import { tellWarning } from "./refusal-event.ts";

type Outcome =
  | { readonly addresses: readonly string[] }
  /** Not tried again before (ms since the epoch), unless something changes. */
  | { readonly refusal: string; readonly until: number };

const RETRY_MS = 30_000;
export type LabelsOf = (namespace: string) => Labels | undefined;

const HANDLES = "load-balancer/";
const AT_ONCE = 32;
const NO_POOL = "there is no IPPool with allowedUses [LoadBalancer] of the service's families";

/** What a look found; words of refusals by `namespace/name`. */
export interface Given {
  readonly refused: ReadonlyMap<string, string>;
  readonly released: number;
}

export class LoadBalancerAddresses {
  readonly #cluster: Cluster;
  readonly #ports: AllocatorPorts;
  readonly #log: Log;
  readonly #allocator: Allocator;
  #pools: readonly Pool[] = [];
  #rules = "";
  /** By uid: what was asked, and what came of it. */
  readonly #met = new Map<string, { readonly wish: string } & Outcome>();
  readonly #refused = new Map<string, string>();

  /** @param ports its store commits as the leader, or not at all */
  constructor(cluster: Cluster, ports: AllocatorPorts, log: Log) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#log = log;
    this.#allocator = new Allocator(LOAD_BALANCER, ports);
  }

  /** Nothing is taken for granted any more: another controller may have been at work. */
  forget(): void {
    this.#met.clear();
    this.#allocator.load().catch(() => undefined);
  }

  configure(pools: readonly Pool[], rules: Rules): void {
    // To the allocator a service is what a pod is to a node's.
    const forServices = pools.filter(({ allowedUses }) => allowedUses.includes("LoadBalancer"));
    this.#pools = forServices.map((pool) => ({ ...pool, allowedUses: ["Workload"] }));
    this.#allocator.setPools(this.#pools);
    // Limits for nodes are none for all services together.
    this.#allocator.setRules({ ...rules, maxBlocksPerHost: 0, strictAffinity: false });
    const text = JSON.stringify([pools, rules], (_key, value) => (value instanceof Uint8Array ? [...value] : value));
    if (text !== this.#rules) this.#met.clear();
    this.#rules = text;
  }

  /** Whether a pool for services asks for labels of namespaces. */
  get asksNamespaces(): boolean {
    return this.#pools.some(selectsNamespaces);
  }

  /**
   * All services there are. Throws StoreUnavailable, ClusterError; the next look goes on.
   *
   * @param labelsOf a namespace; undefined: not known
   */
  async look(wishes: readonly AddressWish[], labelsOf: LabelsOf = () => undefined): Promise<Given> {
    const handles = await this.#handles();
    const uids = new Set(wishes.map(({ uid }) => uid));
    let released = 0;
    for (const [uid, held] of handles) {
      if (uids.has(uid)) continue;
      for (const handle of held) released += await this.#release(handle, "its service is gone");
    }
    for (const [uid, outcome] of this.#met) {
      if (!uids.has(uid) || (released > 0 && "refusal" in outcome)) this.#met.delete(uid);
    }
    this.#refused.clear();
    for (let from = 0; from < wishes.length; from += AT_ONCE) {
      await Promise.all(
        wishes.slice(from, from + AT_ONCE).map((wish) => this.#meet(wish, handles.get(wish.uid) ?? [], labelsOf)),
      );
    }
    return { refused: new Map(this.#refused), released };
  }

  async #meet(wish: AddressWish, held: readonly string[], labelsOf: LabelsOf): Promise<void> {
    const { current, ...asked } = wish;
    const labels = this.asksNamespaces ? labelsOf(wish.namespace) : undefined;
    const text = JSON.stringify({ ...asked, addresses: asked.addresses.map(formatAddress), labels });
    const before = this.#met.get(wish.uid);
    if (before?.wish === text) {
      if ("addresses" in before && sameTexts(before.addresses, current)) return;
      if ("refusal" in before && this.#ports.now() < before.until) return this.#note(wish, before.refusal);
    }
    if (this.#isLeftAlone(wish, held)) return;
    try {
      const addresses = await this.#assign(wish, held, labels);
      await this.#show(wish, addresses);
      for (const handle of held) {
        if (handle !== handleOf(wish)) await this.#release(handle, "the service asks for others now");
      }
      this.#met.set(wish.uid, { wish: text, addresses });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // The allocator's usual askers are pods.
      const refusal = error.message.replace("delete pods", "delete services");
      await this.#refuse(wish, refusal);
      this.#met.set(wish.uid, { wish: text, refusal, until: this.#ports.now() + RETRY_MS });
    }
  }

  /** Of no class, and nothing of ours to give or to take: another load balancer's, or nobody's. */
  #isLeftAlone({ ours, current }: AddressWish, held: readonly string[]): boolean {
    if (ours || held.length > 0) return false;
    return this.#pools.length === 0 || current.some((text) => !this.#isOfPools(parseAddress(text)));
  }

  /** Throws Refusal. */
  async #assign(wish: AddressWish, held: readonly string[], labels: Labels | undefined): Promise<readonly string[]> {
    if (wish.problem !== undefined) throw new Refusal("no-pool", wish.problem, false);
    const families = wish.families.filter((family) => {
      return wish.allFamilies || this.#pools.some(({ cidr }) => familyOfPrefix(cidr) === family);
    });
    if (families.length + wish.addresses.length === 0) throw new Refusal("no-pool", NO_POOL, false);
    const handle = handleOf(wish);
    const has = await this.#allocator.assignmentsOf(handle);
    if (has.length > 0 && has.length === Math.max(families.length, wish.addresses.length)) return texts(has);
    const give = async (addresses: readonly Address[]) =>
      texts(
        await this.#allocator.assign({
          workload: workloadOf(wish, handle),
          families,
          ...(labels !== undefined && { namespaceLabels: labels }),
          ...(wish.pools.length > 0 && { pools: wish.pools }),
          ...(addresses.length > 0 && { addresses }),
        }),
      );
    // What it shows already it keeps where that can be: the store may be new, or the wish another one.
    const wanted = wish.addresses.length > 0 ? wish.addresses : this.#keepable(wish, families);
    try {
      return await give(wanted);
    } catch (error) {
      if (!(error instanceof Refusal) || wanted.length === 0) throw error;
      // It may be its own, under another wish.
      if (error.code === "address-in-use" && held.some((other) => other !== handle)) {
        for (const other of held) if (other !== handle) await this.#release(other, "the service asks for others now");
        return await give(wanted);
      }
      if (wish.addresses.length > 0) throw error;
      return await give([]);
    }
  }

  #keepable({ current, pools }: AddressWish, families: readonly number[]): Address[] {
    if (pools.length > 0) return [];
    return current.flatMap((text) => {
      const address = parseAddress(text);
      const fits = address !== undefined && families.includes(address.length === 4 ? 4 : 6);
      return fits && this.#isOfPools(address) ? [address] : [];
    });
  }

  #isOfPools(address: Address | undefined): boolean {
    return address !== undefined && this.#pools.some(({ cidr }) => containsAddress(cidr, address));
  }

  async #show({ uid, namespace, name, current }: AddressWish, addresses: readonly string[]): Promise<void> {
    if (sameTexts(addresses, current)) return;
    const ingress = addresses.map((ip) => ({ ip, ipMode: "VIP" }));
    const body = { metadata: { uid }, status: { loadBalancer: { ingress } } };
    await this.#cluster.patch({ type: SERVICES, namespace, name }, { how: "merge", body, subresource: "status" });
    this.#log.info("a service has its load-balancer addresses", { service: `${namespace}/${name}`, addresses });
  }

  #note({ namespace, name }: AddressWish, refusal: string): void {
    this.#refused.set(`${namespace}/${name}`, refusal);
  }

  async #refuse(wish: AddressWish, message: string): Promise<void> {
    const { uid, namespace, name } = wish;
    this.#note(wish, message);
    const about = { apiVersion: "v1", kind: "Service", metadata: { namespace, name, uid } };
    await tellWarning(this.#cluster, about, { reason: "NoLoadBalancerAddress", message }, this.#ports.now());
  }

  async #release(handle: string, why: string): Promise<number> {
    const addresses = await this.#allocator.release(handle);
    if (addresses.length > 0) {
      this.#log.info("load-balancer addresses are free again", { addresses: addresses.map(formatAddress), why });
    }
    return addresses.length;
  }

  /** Handles of services by uid. */
  async #handles(): Promise<Map<string, string[]>> {
    const handles = new Map<string, string[]>();
    for (const key of await this.#ports.store.listKeys(handlesRoot)) {
      const handle = handleOfKey(key);
      if (handle?.startsWith(HANDLES) !== true) continue;
      const uid = handle.split("/")[1] ?? "";
      handles.set(uid, [...(handles.get(uid) ?? []), handle]);
    }
    return handles;
  }
}

/** One for each wish, so that a new one can be met before the old addresses are given back. */
function handleOf({ uid, families, addresses, pools }: AddressWish): string {
  const wish = JSON.stringify([families, addresses.map(formatAddress), pools]);
  return `${HANDLES}${uid}/${createHash("sha256").update(wish).digest("hex").slice(0, 8)}`;
}

function workloadOf({ uid, namespace, name }: AddressWish, handle: string) {
  return { handle, namespace, pod: `service/${name}`, containerID: uid, ifName: "load-balancer" };
}

const texts = (assigned: readonly Assigned[]): string[] => assigned.map(({ address }) => formatAddress(address));

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text) => b.includes(text));
}
