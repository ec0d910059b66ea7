/** How full the pools are and what was reclaimed, under the names that dashboards made for Calico ask for. */
import { containsPrefix, prefixSize } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { Rules } from "../../ipam/rules.ts";
import type { Metric, Sample } from "../telemetry/exposition.ts";
import type { BlockCount } from "./block-counts.ts";
import type { Look } from "./departed-nodes.ts";

/** Blocks that lie in no pool any more. */
const NO_POOL = "";

/** What became of addresses since this process started. */
export class Reclaims {
  /** Addresses without an owner as far as the records go, by node; at the last reading of all of them. */
  candidates: ReadonlyMap<string, number> = new Map();
  readonly addresses = new Map<string, number>();
  readonly blocks = new Map<string, number>();

  take({ done, leaks }: Look): void {
    if (leaks !== undefined) this.candidates = leaks;
    for (const { node, freed, blocks } of done) {
      const count = freed.reduce((sum, { addresses }) => sum + addresses.length, 0);
      add(this.addresses, node, count);
      add(this.blocks, node, blocks.length);
    }
  }
}

export function ipamMetrics(
  blocks: readonly BlockCount[] | undefined,
  pools: readonly Pool[],
  rules: Rules,
  reclaims: Reclaims,
): Metric[] {
  return [
    ...(blocks === undefined ? [] : usage(blocks, pools)),
    gauge(
      "ipam_ippool_size",
      "Addresses in the pool.",
      pools.map(({ name, cidr }) => ({ labels: { ippool: name }, value: Number(prefixSize(cidr)) })),
    ),
    gauge(
      "ipam_ippool_reserved",
      "Of those, reserved by an IPReservation.",
      pools.map(({ name, cidr }) => ({ labels: { ippool: name }, value: Number(rules.reserved.count(cidr)) })),
    ),
    gauge(
      "ipam_allocations_gc_candidates",
      "Addresses in use without an owner as far as the records go, at the last reading of all of them.",
      byNode(reclaims.candidates),
    ),
    counter("ipam_allocations_gc_reclamations", "Addresses of departed nodes freed.", byNode(reclaims.addresses)),
    counter("overland_ipam_blocks_reclaimed_total", "Blocks of departed nodes given back.", byNode(reclaims.blocks)),
  ];
}

function usage(blocks: readonly BlockCount[], pools: readonly Pool[]): Metric[] {
  const [count, inUse, borrowed] = [new Table(), new Table(), new Table()];
  for (const block of blocks) {
    const pool = pools.find(({ cidr }) => containsPrefix(cidr, block.cidr))?.name ?? NO_POOL;
    count.add(pool, block.node, 1);
    // A node with a block and no address in use is there too: it is no gap in a graph.
    inUse.add(pool, block.node, 0);
    borrowed.add(pool, block.node, 0);
    for (const [node, addresses] of block.inUse) {
      inUse.add(pool, node, addresses);
      borrowed.add(pool, node, node === block.node ? 0 : addresses);
    }
  }
  return [
    gauge("ipam_blocks", "Blocks by pool and owning node.", count.samples()),
    gauge("ipam_allocations_in_use", "Addresses in use by pool and the node that uses them.", inUse.samples()),
    gauge("ipam_allocations_borrowed", "Of those, out of another node's block.", borrowed.samples()),
  ];
}

/** Sums by pool and node. */
class Table {
  readonly #rows = new Map<string, Map<string, number>>();

  add(pool: string, node: string, value: number): void {
    const row = this.#rows.get(pool) ?? new Map<string, number>();
    add(row, node, value);
    this.#rows.set(pool, row);
  }

  samples(): Sample[] {
    return [...this.#rows].flatMap(([ippool, row]) =>
      [...row].map(([node, value]) => ({ labels: { ippool, node }, value })),
    );
  }
}

function add(sums: Map<string, number>, node: string, value: number): void {
  sums.set(node, (sums.get(node) ?? 0) + value);
}

function byNode(values: ReadonlyMap<string, number>): Sample[] {
  return [...values].map(([node, value]) => ({ labels: { node }, value }));
}

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => metric(name, "gauge", help, samples);
const counter = (name: string, help: string, samples: readonly Sample[]) => metric(name, "counter", help, samples);

function metric(name: string, type: Metric["type"], help: string, samples: readonly Sample[]): Metric {
  return { name, type, help, samples };
}
