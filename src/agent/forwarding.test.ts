import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { FailedChange, KernelRoute, RouteChange, RouteTarget } from "../kernel/routes.ts";
import { openLog } from "../telemetry/log.ts";
import { Forwarding } from "./forwarding.ts";

/** A kernel table as plain data; `refuses` names prefixes it takes no route for. */
class Table {
  readonly routes = new Map<string, RouteTarget>();
  readonly refuses = new Set<string>();
  writes = 0;

  apply(changes: readonly RouteChange[]): FailedChange[] {
    const failed: FailedChange[] = [];
    for (const change of changes) {
      this.writes++;
      const key = formatPrefix(change.prefix);
      if (this.refuses.has(key)) failed.push({ change, errno: "ENETUNREACH" });
      else if (change.target === undefined) this.routes.delete(key);
      else this.routes.set(key, change.target);
    }
    return failed;
  }

  list(others: readonly KernelRoute[] = []): KernelRoute[] {
    const ours = [...this.routes].map(([key, target]) => route(key, target));
    return [...ours, ...others];
  }
}

function route(prefix: string, target: RouteTarget, protocol = 201, metric = 1024): KernelRoute {
  return { prefix: prefixOf(prefix), target, protocol, metric, table: 254, scope: 0 };
}

const via = (gateway: string): RouteTarget => ({
  kind: "unicast",
  nextHops: [{ gateway: addressOf(gateway), interfaceIndex: 2 }],
});
const BLACKHOLE: RouteTarget = { kind: "blackhole" };
const learned = (prefix: string, target: RouteTarget | undefined): RouteChange => ({
  prefix: prefixOf(prefix),
  target,
});

function start(): { table: Table; forwarding: Forwarding } {
  const table = new Table();
  const log = openLog({ level: "error" });
  return { table, forwarding: new Forwarding(table, log) };
}

describe("forwarding", () => {
  it("writes what is learned and removes what is withdrawn", () => {
    const { table, forwarding } = start();
    forwarding.learn([learned("10.1.0.0/26", via("10.0.0.1")), learned("10.2.0.0/26", via("10.0.0.2"))]);
    forwarding.learn([learned("10.1.0.0/26", undefined)]);
    expect([...table.routes.keys()]).toEqual(["10.2.0.0/26"]);
    expect(forwarding.installed).toBe(1);
  });

  it("an own block is a blackhole, whatever is learned for it, and the learned route comes back when the block goes", () => {
    const { table, forwarding } = start();
    forwarding.setBlackholes([prefixOf("10.1.0.0/26")]);
    forwarding.learn([learned("10.1.0.0/26", via("10.0.0.1"))]);
    expect(table.routes.get("10.1.0.0/26")).toEqual(BLACKHOLE);
    forwarding.setBlackholes([]);
    expect(table.routes.get("10.1.0.0/26")).toEqual(via("10.0.0.1"));
  });

  it("routes of an earlier run stay until the sweep; others' routes and pods' routes always", () => {
    const { table, forwarding } = start();
    table.routes.set("10.9.0.0/26", via("10.0.0.9"));
    const others = [route("10.8.0.0/26", via("10.0.0.8"), 3), route("10.1.0.5/32", via("10.0.0.7"), 201, 64)];
    forwarding.learn([learned("10.1.0.0/26", via("10.0.0.1"))]);
    forwarding.compare(table.list(others));
    expect([...table.routes.keys()].sort()).toEqual(["10.1.0.0/26", "10.9.0.0/26"]);
    expect(forwarding.sweep(table.list(others))).toBe(1);
    expect([...table.routes.keys()]).toEqual(["10.1.0.0/26"]);
  });

  it("what somebody changed or removed is put right, and nothing else is written", () => {
    const { table, forwarding } = start();
    const routes = ["10.1.0.0/26", "10.2.0.0/26", "10.3.0.0/26"];
    forwarding.learn(routes.map((prefix) => learned(prefix, via("10.0.0.1"))));
    table.routes.delete("10.1.0.0/26");
    table.routes.set("10.2.0.0/26", via("10.0.0.66"));
    table.writes = 0;
    expect(forwarding.compare(table.list())).toBe(2);
    expect(table.writes).toBe(2);
    expect([...table.routes.values()]).toEqual([via("10.0.0.1"), via("10.0.0.1"), via("10.0.0.1")]);
    expect(forwarding.compare(table.list())).toBe(0);
  });

  it("what the kernel refuses is not called installed and is tried again", () => {
    const { table, forwarding } = start();
    table.refuses.add("10.1.0.0/26");
    forwarding.learn([learned("10.1.0.0/26", via("10.0.0.1"))]);
    expect([forwarding.installed, forwarding.hasRefused, forwarding.isInstalled(prefixOf("10.1.0.0/26"))]).toEqual([
      0,
      true,
      false,
    ]);
    table.refuses.clear();
    forwarding.compare(table.list());
    expect([forwarding.installed, forwarding.hasRefused, forwarding.isInstalled(prefixOf("10.1.0.0/26"))]).toEqual([
      1,
      false,
      true,
    ]);
  });
});
