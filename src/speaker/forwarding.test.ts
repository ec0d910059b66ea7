import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Gateway } from "../../bgp/rib/next-hops.ts";
import { type Address, addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { FailedWrite } from "../kernel/routes.ts";
import { openLog } from "../telemetry/log.ts";
import { Forwarding, type ForwardingKernel } from "./forwarding.ts";
import { WantedTable } from "./forwarding-testing.ts";

/** A kernel table as plain data; `refuses` names prefixes it takes no route for. */
class Table implements ForwardingKernel {
  readonly routes = new Map<string, string>();
  readonly refuses = new Set<string>();
  /** Changes are made when this is called, as from another thread. */
  later: (() => void) | undefined;
  slow = false;
  room = 8192;
  writes = 0;
  #waiting: { prefix: string; to: string | undefined }[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  readonly capacity = 8192;

  goesBy(): boolean {
    throw new Error("nothing is listed here");
  }

  replace(address: Address, length: number, hops: readonly Gateway[]): boolean {
    return this.#put(address, length, hops.map(({ gateway }) => formatAddress(gateway as Address)).join());
  }

  blackhole(address: Address, length: number): boolean {
    return this.#put(address, length, "blackhole");
  }

  remove(address: Address, length: number): boolean {
    return this.#put(address, length, undefined);
  }

  #put(address: Address, length: number, to: string | undefined): boolean {
    if (this.#waiting.length === this.room) return false;
    this.#waiting.push({ prefix: formatPrefix({ address, length }), to });
    return true;
  }

  send(): readonly FailedWrite[] | Promise<readonly FailedWrite[]> {
    const changes = this.#waiting;
    this.#waiting = [];
    if (!this.slow) return this.#make(changes);
    const { promise, resolve } = Promise.withResolvers<readonly FailedWrite[]>();
    this.later = () => {
      this.later = undefined;
      resolve(this.#make(changes));
    };
    return promise;
  }

  #make(changes: readonly { prefix: string; to: string | undefined }[]): FailedWrite[] {
    const failed: FailedWrite[] = [];
    for (const { prefix, to } of changes) {
      this.writes++;
      if (this.refuses.has(prefix)) failed.push({ prefix: prefixOf(prefix), change: "replace", errno: "ENETUNREACH" });
      else if (to === undefined) this.routes.delete(prefix);
      else this.routes.set(prefix, to);
    }
    return failed;
  }
}

const via = (gateway: string): Gateway[] => [{ gateway: addressOf(gateway), interfaceIndex: 2 }];

let table: Table;
let wanted: WantedTable;
let occupied: Set<string>;
let forwarding: Forwarding;

beforeEach(() => {
  table = new Table();
  wanted = new WantedTable();
  occupied = new Set();
  forwarding = new Forwarding({
    kernel: table,
    wanted,
    occupied: (address, length) => occupied.has(formatPrefix({ address, length })),
    doubt: (error) => {
      throw error;
    },
    log: openLog({ level: "error" }),
  });
});

function learn(prefix: string, gateway: string | undefined): void {
  wanted.want(prefix, gateway === undefined ? undefined : via(gateway));
  forwarding.forward();
}

describe("forwarding", () => {
  it("writes what is learned and removes what is withdrawn", () => {
    learn("10.1.0.0/26", "10.0.0.1");
    learn("fd00:1::/64", "fd00::1");
    learn("10.1.0.0/26", undefined);
    expect([...table.routes]).toEqual([["fd00:1::/64", "fd00::1"]]);
    expect(forwarding.installed).toBe(1);
    expect(forwarding.isInstalled(prefixOf("fd00:1::/64"))).toBe(true);
    expect(forwarding.isInstalled(prefixOf("10.1.0.0/26"))).toBe(false);
  });

  it("an own block is a blackhole, whatever is learned for it, and the learned route comes back when the block goes", () => {
    forwarding.setBlackholes([prefixOf("10.1.0.0/26"), prefixOf("10.2.0.0/26")]);
    learn("10.1.0.0/26", "10.0.0.1");
    expect(table.routes.get("10.1.0.0/26")).toBe("blackhole");
    expect(forwarding.installed).toBe(0);
    forwarding.setBlackholes([]);
    expect([...table.routes]).toEqual([["10.1.0.0/26", "10.0.0.1"]]);
    expect(forwarding.installed).toBe(1);
  });

  it("what must not be routed is not written, and counted nowhere", () => {
    learn("127.1.0.0/16", "10.0.0.1");
    learn("fe80::/64", "fd00::1");
    expect([table.writes, forwarding.installed, forwarding.refused]).toEqual([0, 0, 0]);
    expect(forwarding.isInstalled(prefixOf("127.1.0.0/16"))).toBe(false);
    learn("127.1.0.0/16", undefined);
    expect(forwarding.installed).toBe(0);
  });

  it("what is left to others is not written, goes when it becomes theirs, and comes when it is ours again", () => {
    forwarding.leaveAlone([prefixOf("10.96.0.0/12"), prefixOf("fd00:96::/108")]);
    for (const prefix of ["10.96.0.0/12", "10.96.0.1/32"]) learn(prefix, "10.0.0.1");
    for (const prefix of ["10.0.0.0/8", "192.0.2.0/24"]) learn(prefix, "10.0.0.1");
    learn("fd00:96::1/128", "fd00::1");
    expect([...table.routes.keys()]).toEqual(["10.0.0.0/8", "192.0.2.0/24"]);
    expect([forwarding.installed, forwarding.isInstalled(prefixOf("10.96.0.1/32"))]).toEqual([2, false]);
    forwarding.leaveAlone([prefixOf("192.0.2.0/24"), prefixOf("10.96.0.1/32")]);
    expect([...table.routes.keys()].sort()).toEqual(["10.0.0.0/8", "10.96.0.0/12", "fd00:96::1/128"]);
    expect(forwarding.installed).toBe(3);
    learn("10.96.0.1/32", undefined);
    forwarding.leaveAlone([]);
    expect([...table.routes.keys()].sort()).toEqual(["10.0.0.0/8", "10.96.0.0/12", "192.0.2.0/24", "fd00:96::1/128"]);
    expect([forwarding.installed, forwarding.refused]).toEqual([4, 0]);
  });

  it("what the kernel refuses is not called installed and is tried again, less and less often", () => {
    table.refuses.add("10.1.0.0/26");
    learn("10.1.0.0/26", "10.0.0.1");
    const state = () => [
      forwarding.installed,
      forwarding.refused,
      forwarding.isInstalled(prefixOf("10.1.0.0/26")),
      table.writes,
    ];
    expect(state()).toEqual([0, 1, false, 1]);
    for (let now = 1000; now <= 31_000; now += 100) forwarding.retry(now);
    expect(state()).toEqual([0, 1, false, 7]);
    table.refuses.clear();
    forwarding.retry(100_000);
    expect(state()).toEqual([1, 0, true, 8]);
    forwarding.retry(200_000);
    expect(table.writes).toBe(8);
  });

  it("what was refused and is withdrawn is forgotten", () => {
    table.refuses.add("10.1.0.0/26");
    learn("10.1.0.0/26", "10.0.0.1");
    table.refuses.clear();
    learn("10.1.0.0/26", undefined);
    expect([forwarding.installed, forwarding.refused]).toEqual([0, 0]);
  });

  it("somebody else's route with our metric is left alone, and ours comes when it is gone", () => {
    occupied.add("10.1.0.0/26");
    occupied.add("10.2.0.0/26");
    learn("10.1.0.0/26", "10.0.0.1");
    forwarding.setBlackholes([prefixOf("10.2.0.0/26")]);
    expect([table.writes, forwarding.installed, forwarding.refused]).toEqual([0, 0, 2]);
    occupied.clear();
    for (const prefix of ["10.1.0.0/26", "10.2.0.0/26"]) forwarding.writeAgain(prefixOf(prefix));
    forwarding.forward();
    expect([...table.routes.keys()].sort()).toEqual(["10.1.0.0/26", "10.2.0.0/26"]);
    expect([forwarding.installed, forwarding.refused]).toEqual([1, 0]);
  });

  it("writes on while another thread sends, each change after the one before it", async () => {
    table.slow = true;
    learn("10.1.0.0/26", "10.0.0.1");
    learn("10.1.0.0/26", "10.0.0.2");
    learn("10.2.0.0/26", "10.0.0.2");
    expect(table.routes.size).toBe(0);
    const settled = forwarding.settle();
    while (table.later !== undefined) {
      table.later();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled;
    expect([...table.routes]).toEqual([
      ["10.1.0.0/26", "10.0.0.2"],
      ["10.2.0.0/26", "10.0.0.2"],
    ]);
  });

  it("loses nothing where a batch is full before its number of changes is reached", () => {
    table.room = 10;
    for (let i = 0; i < 100; i++) wanted.want(`10.1.${i}.0/24`, via("10.0.0.1"));
    forwarding.forward();
    expect(table.routes.size).toBe(100);
  });
});
