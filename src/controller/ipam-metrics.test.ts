/** Figures of pools as Prometheus reads them, from blocks in a store. */
import { expect, it } from "@jest/globals";
import { blocksRoot } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { Reservations } from "../../ipam/reservations.ts";
import { usualRules } from "../../ipam/rules.ts";
import { allocatorOn, Clock, poolOf, requestOf } from "../../ipam/world-for-tests.ts";
import { expositionText } from "../telemetry/exposition.ts";
import { BlockCounts } from "./block-counts.ts";
import { ipamMetrics, Reclaims } from "./ipam-metrics.ts";

const pools = [poolOf("v4", "10.244.0.0/30", 31), poolOf("v6", "fd00:244::/120", 126)];
const told = () => new Promise<void>((resolve) => setImmediate(resolve));

it("counts by pool and by the node that uses an address, borrowed ones too, and follows what changes", async () => {
  const store = new MemoryStore();
  const counts = new BlockCounts(store);
  expect(counts.all).toBeUndefined();
  const clock = new Clock();
  const [n1, n2] = [allocatorOn(store, "n1", pools, clock), allocatorOn(store, "n2", pools, clock)];
  for (const handle of ["a", "b", "c"]) await n1.assign(requestOf(handle, [4]));
  await n1.assign(requestOf("a6", [6]));
  await n2.assign(requestOf("d", [4]));
  await told();
  const rules = { ...usualRules, reserved: new Reservations([prefixOf("10.244.0.3/32")]) };
  const lines = () => expositionText(ipamMetrics(counts.all, pools, rules, new Reclaims())).split("\n");
  expect(lines().filter((line) => line.startsWith("ipam_"))).toEqual([
    'ipam_blocks{ippool="v4",node="n1"} 2',
    'ipam_blocks{ippool="v6",node="n1"} 1',
    'ipam_allocations_in_use{ippool="v4",node="n1"} 3',
    'ipam_allocations_in_use{ippool="v4",node="n2"} 1',
    'ipam_allocations_in_use{ippool="v6",node="n1"} 1',
    'ipam_allocations_borrowed{ippool="v4",node="n1"} 0',
    'ipam_allocations_borrowed{ippool="v4",node="n2"} 1',
    'ipam_allocations_borrowed{ippool="v6",node="n1"} 0',
    'ipam_ippool_size{ippool="v4"} 4',
    'ipam_ippool_size{ippool="v6"} 256',
    'ipam_ippool_reserved{ippool="v4"} 1',
    'ipam_ippool_reserved{ippool="v6"} 0',
  ]);
  await n1.release("a6");
  await told();
  expect(lines()).toContain('ipam_allocations_in_use{ippool="v6",node="n1"} 0');
  await store.commit({ expect: [], put: [], delete: await store.listKeys(blocksRoot) });
  expect(counts.all).toEqual([]);
  counts.stop();
});

it("adds up what was taken back", () => {
  const reclaims = new Reclaims();
  const freed = [{ handle: "h", containerID: "c", addresses: [new Uint8Array(4), new Uint8Array(16)] }];
  const done = [{ node: "n1", freed, blocks: [prefixOf("10.0.0.0/26")], records: [], transaction: {} as never }];
  for (let i = 0; i < 2; i++) {
    reclaims.take({
      departed: [],
      done,
      kept: [],
      findings: undefined,
      leaks: i === 0 ? new Map([["n1", 3]]) : undefined,
    });
  }
  const text = expositionText(ipamMetrics(undefined, [], usualRules, reclaims));
  expect(text.match(/^(ipam|overland)_.*/gm)).toEqual([
    'ipam_allocations_gc_candidates{node="n1"} 3',
    'ipam_allocations_gc_reclamations{node="n1"} 4',
    'overland_ipam_blocks_reclaimed_total{node="n1"} 2',
  ]);
});
