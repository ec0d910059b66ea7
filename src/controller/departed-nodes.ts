/**
 * Takes back what nodes hold that are gone: their Node resource was deleted, and records of theirs remain. Two looks
 * with the grace time between make it certain; every act says in its transaction that there is no such Node.
 */
import { audit } from "../../ipam/audit.ts";
import { type KeptBlock, keptBlocks, nodesIn, type Takeback, takeback } from "../../ipam/departed.ts";
import { affinitiesRoot, affinityOfKey, ipamRoot } from "../../ipam/keys.ts";
import { findLeaks } from "../../ipam/leaks.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { type Reading, readRecords } from "../../ipam/reading.ts";
import type { Store } from "../../ipam/store.ts";
import { Suspects } from "../../ipam/suspects.ts";
import { LOAD_BALANCER } from "../../ipam/virtual-node.ts";
import { readRules } from "../config/ipam-rules.ts";
import { agentKey, kindRoot, resourceKey } from "../config/resource-keys.ts";
import type { Log } from "../telemetry/log.ts";
import type { Fence } from "./leader.ts";

/** Between readings of all records; in between only keys are listed. */
const READ_ALL_MS = 600_000;
/** So many acts at one look: far more than any node holds. */
const MOST_ACTS = 1000;

export interface Look {
  /** Nodes that are gone, as far as this look sees; acted upon once the grace time is over. */
  readonly departed: readonly string[];
  readonly done: readonly Takeback[];
  readonly kept: readonly KeptBlock[];
  /** What does not agree in the records: reported, not touched. Undefined: not looked for this time. */
  readonly findings: readonly string[] | undefined;
  /** Addresses in use without an owner as far as the records go, by node. Undefined: not looked for this time. */
  readonly leaks: ReadonlyMap<string, number> | undefined;
}

export class DepartedNodes {
  readonly #store: Store;
  readonly #leader: Fence;
  readonly #log: Log;
  readonly #graceMs: number;
  readonly #wall: () => number;
  readonly #suspects = new Suspects();
  #readAt: number | undefined;
  #lastAll: readonly string[] = [];
  #told = new Set<string>();
  /** Departed, as somebody else made certain. */
  readonly #gone = new Set<string>();

  constructor(store: Store, leader: Fence, log: Log, graceMs: number, wall: () => number = Date.now) {
    this.#store = store;
    this.#leader = leader;
    this.#log = log;
    this.#graceMs = graceMs;
    this.#wall = wall;
  }

  /**
   * @param now monotonic milliseconds. Throws StoreUnavailable
   * @param gone nodes that were seen to be gone for the grace time already
   */
  async look(now: number, gone: readonly string[] = []): Promise<Look> {
    for (const name of gone) this.#gone.add(name);
    const owners = (await this.#store.listKeys(affinitiesRoot)).flatMap((key) => affinityOfKey(key)?.node ?? []);
    const all = this.#readAt === undefined || now - this.#readAt >= READ_ALL_MS;
    const entries = all ? (await this.#store.list(ipamRoot)).entries : [];
    const reading = all ? readRecords(entries) : undefined;
    if (reading !== undefined) {
      this.#readAt = now;
      this.#lastAll = [...nodesIn(reading)];
    }
    const findings = all ? audit(entries) : undefined;
    for (const finding of findings ?? []) {
      if (!this.#told.has(finding)) this.#log.warn("records of addresses do not agree", { finding });
    }
    if (findings !== undefined) this.#told = new Set(findings);
    const nodes = await this.#nodes();
    const departed = [...new Set([...owners, ...this.#lastAll])].filter((name) => !nodes.has(name)).sort();
    const found = departed.map((id) => ({ id }));
    const known = this.#suspects.count;
    for (const name of this.#gone) if (nodes.has(name)) this.#gone.delete(name);
    const seenTwice = new Set(this.#suspects.look(found, now, this.#graceMs).map(({ id }) => id));
    const certain = found.filter(({ id }) => seenTwice.has(id) || this.#gone.has(id));
    if (this.#suspects.count > known) this.#log.info("nodes are gone that hold addresses", { nodes: departed });
    const done: Takeback[] = [];
    const kept: KeptBlock[] = [];
    for (const { id } of certain) {
      done.push(...(await this.#takeBack(id)));
      const left = keptBlocks(await this.#records(), id, this.#wall(), await readRules(this.#store));
      kept.push(...left);
      if (left.length === 0) await this.#forget(id);
    }
    // What is gone now is no reason to look again.
    if (certain.length > 0) this.#lastAll = [...nodesIn(await this.#records())];
    return { departed, done, kept, findings, leaks: reading && leaksByNode(reading, nodes) };
  }

  async #takeBack(node: string): Promise<Takeback[]> {
    const done: Takeback[] = [];
    const rules = await readRules(this.#store);
    for (let act = 0; act < MOST_ACTS; act++) {
      const next = takeback(await this.#records(), node, resourceKey("Node", node), this.#wall(), rules);
      if (next === undefined) break;
      if (await this.#leader.commit(next.transaction)) {
        this.#tell(next);
        done.push(next);
      } else if (!this.#leader.leads || (await this.#nodes()).has(node)) break;
    }
    return done;
  }

  /** Which agent had the name: a machine that gets it next need not wait for that one. */
  async #forget(node: string): Promise<void> {
    const expect = [{ key: resourceKey("Node", node), modRevision: 0n }];
    await this.#leader.commit({ expect, put: [], delete: [agentKey(node)] });
  }

  async #records(): Promise<Reading> {
    return readRecords((await this.#store.list(ipamRoot)).entries);
  }

  /** By keys: a Node that cannot be read is there all the same. */
  async #nodes(): Promise<Set<string>> {
    const root = kindRoot("Node");
    return new Set([LOAD_BALANCER, ...(await this.#store.listKeys(root)).map((key) => key.slice(root.length))]);
  }

  #tell({ node, freed, blocks, records }: Takeback): void {
    const why = `node ${node} was deleted`;
    for (const { addresses, since, ...workload } of freed) {
      const held = since === undefined ? {} : { since: new Date(since).toISOString() };
      const evidence = { node, addresses: addresses.map(formatAddress), ...workload, ...held, why };
      this.#log.warn("addresses of a departed node are freed", evidence);
    }
    for (const cidr of blocks) {
      this.#log.warn("a block of a departed node goes back to its pool", { node, block: formatPrefix(cidr), why });
    }
    for (const key of records) this.#log.warn("a record of a departed node is deleted", { node, key, why });
  }
}

function leaksByNode(reading: Reading, nodes: ReadonlySet<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { addresses, nodes: owners } of findLeaks(reading, nodes)) {
    const [owner = ""] = owners;
    counts.set(owner, (counts.get(owner) ?? 0) + addresses.length);
  }
  return counts;
}
