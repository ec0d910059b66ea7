/** What every store must do: the tests that the memory store and the one on etcd both pass. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Committed, Entry, Revision, Store, Transaction } from "./store.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** A second client of the same content. */
  readonly other: Store;
  stop(): Promise<void>;
}

/** Writes without expectations; the revision of it. */
export async function write(store: Store, change: Partial<Transaction>): Promise<Revision> {
  const committed = await store.commit({ expect: [], put: [], delete: [], ...change });
  if (!committed.committed) throw new Error("not committed");
  return committed.revision;
}

/** Everything a watch says, as lines; `until` waits for a line. */
export class WatchLog {
  readonly lines: string[] = [];
  readonly content = new Map<string, string>();
  #wake: () => void = () => {};

  snapshot(entries: readonly Entry[]): void {
    this.content.clear();
    for (const { key, value } of entries) this.content.set(key, value);
    this.#say(`snapshot ${entries.map(({ key, value }) => `${key}=${value}`).join(" ")}`);
  }

  change(key: string, entry: Entry | undefined): void {
    if (entry === undefined) this.content.delete(key);
    else this.content.set(key, entry.value);
    this.#say(entry === undefined ? `deleted ${key}` : `${key}=${entry.value}`);
  }

  trouble(): void {
    this.#say("trouble");
  }

  async until(holds: () => boolean, withinMs = 5000): Promise<void> {
    const end = Date.now() + withinMs;
    while (!holds()) {
      if (Date.now() > end) throw new Error(`not seen in ${withinMs} ms; the watch said:\n${this.lines.join("\n")}`);
      await new Promise<void>((resolve) => {
        const alarm = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(alarm);
          resolve();
        };
      });
    }
  }

  #say(line: string): void {
    this.lines.push(line);
    this.#wake();
  }
}

export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the promises of a store`, () => {
    let tested: StoreUnderTest;
    let root: string;
    let runs = 0;
    beforeEach(async () => {
      tested = await open();
      root = `/overland/v1/test-${++runs}/`;
    });
    afterEach(() => tested.stop());

    it("reads what was written, in the order asked", async () => {
      const { store, other } = tested;
      const put = [`${root}a`, `${root}b`].map((key) => ({ key, value: `of ${key} ü` }));
      const revision = await write(store, { put });
      const [b, none, a] = await other.get([`${root}b`, `${root}none`, `${root}a`]);
      expect(b).toEqual({ key: `${root}b`, value: `of ${root}b ü`, modRevision: revision });
      expect(none).toBeUndefined();
      expect(a?.modRevision).toBe(revision);
      expect(await store.get([])).toEqual([]);
    });

    it("reads more keys at once than one transaction holds", async () => {
      const keys = Array.from({ length: 300 }, (_, i) => `${root}${String(i).padStart(3, "0")}`);
      for (let i = 0; i < 300; i += 100) {
        await write(tested.store, { put: keys.slice(i, i + 100).map((key) => ({ key, value: key })) });
      }
      expect((await tested.store.get(keys)).map((entry) => entry?.value)).toEqual(keys);
    });

    it("lists a prefix in order, and nothing beside it", async () => {
      const put = ["b", "a", "a/1", "aa"].map((key) => ({ key: root + key, value: key }));
      const revision = await write(tested.store, { put });
      const listed = await tested.store.list(`${root}a`);
      expect(listed.entries.map(({ value }) => value)).toEqual(["a", "a/1", "aa"]);
      expect(listed.revision).toBe(revision);
      expect(await tested.store.listKeys(`${root}a/`)).toEqual([`${root}a/1`]);
      expect((await tested.store.list(`${root}zzz`)).entries).toEqual([]);
    });

    it("commits all or nothing, by revision", async () => {
      const { store } = tested;
      const key = `${root}counter`;
      const create = { expect: [{ key, modRevision: 0n }], put: [{ key, value: "1" }], delete: [] };
      const created = await store.commit(create);
      expect(created.committed).toBe(true);
      expect((await store.commit(create)).committed).toBe(false);
      const stale = { expect: [{ key, modRevision: 1n }], put: [{ key: `${root}x`, value: "" }], delete: [key] };
      expect(await store.commit(stale)).toEqual({ committed: false });
      expect((await store.list(root)).entries).toHaveLength(1);
      const { revision } = created as Extract<Committed, { committed: true }>;
      const replace = {
        expect: [{ key, modRevision: revision }],
        put: [{ key: `${root}x`, value: "2" }],
        delete: [key],
      };
      expect((await store.commit(replace)).committed).toBe(true);
      expect((await store.list(root)).entries.map((entry) => entry.key)).toEqual([`${root}x`]);
    });

    it("takes a deleted key for one that never was, and deletes what is not there", async () => {
      const key = `${root}gone`;
      await write(tested.store, { put: [{ key, value: "" }] });
      await write(tested.store, { delete: [key, `${root}never`] });
      const again = { expect: [{ key, modRevision: 0n }], put: [{ key, value: "again" }], delete: [] };
      expect((await tested.store.commit(again)).committed).toBe(true);
    });

    it("refuses a transaction no store takes, before it is sent", async () => {
      const many = Array.from({ length: 129 }, (_, i) => `${root}${i}`);
      await expect(write(tested.store, { delete: many })).rejects.toThrow(RangeError);
      const twice = { put: [{ key: `${root}a`, value: "" }], delete: [`${root}a`] };
      await expect(write(tested.store, twice)).rejects.toThrow("writes a key twice");
    });

    it("lets one of many win a race for a key", async () => {
      const key = `${root}prize`;
      const racers = Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? tested.store : tested.other).commit({
          expect: [{ key, modRevision: 0n }],
          put: [{ key, value: String(i) }],
          delete: [],
        }),
      );
      expect((await Promise.all(racers)).filter(({ committed }) => committed)).toHaveLength(1);
    });

    it("tells a watch what is there, then every change in order", async () => {
      await write(tested.store, { put: [{ key: `${root}a`, value: "1" }] });
      const log = new WatchLog();
      const stop = tested.store.watch(root, log);
      await log.until(() => log.lines.length === 1);
      await write(tested.other, { put: [{ key: `${root}b`, value: "2" }] });
      await write(tested.other, { put: [{ key: `${root}a`, value: "3" }] });
      await write(tested.other, { put: [{ key: "/overland/elsewhere", value: "" }] });
      await write(tested.other, { delete: [`${root}a`] });
      await log.until(() => log.lines.length >= 4);
      expect(log.lines).toEqual([`snapshot ${root}a=1`, `${root}b=2`, `${root}a=3`, `deleted ${root}a`]);
      stop();
      await write(tested.other, { put: [{ key: `${root}c`, value: "" }] });
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(log.lines).toHaveLength(4);
    });

    it("agrees with a map over random transactions", async () => {
      const key = fc.integer({ min: 0, max: 5 }).map((i) => `k${i}`);
      const change = fc.record({ expected: key, known: fc.boolean(), put: key, value: fc.string(), remove: key });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
          const here = `${root}${++round}/`;
          const model = new Map<string, { value: string; revision: Revision }>();
          for (const { expected, known, put, value, remove } of changes) {
            const truth = model.get(here + expected)?.revision ?? 0n;
            const committed = await tested.store.commit({
              expect: [{ key: here + expected, modRevision: known ? truth : truth + 1n }],
              put: [{ key: here + put, value }],
              delete: remove === put ? [] : [here + remove],
            });
            expect(committed.committed).toBe(known);
            if (!committed.committed) continue;
            if (remove !== put) model.delete(here + remove);
            model.set(here + put, { value, revision: committed.revision });
          }
          const { entries } = await tested.store.list(here);
          const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
          expect(entries.map((entry) => [entry.key, { value: entry.value, revision: entry.modRevision }])).toEqual(
            expected,
          );
        }),
        { numRuns: 20 },
      );
    });

    it("fails every call after close, with the outcome named", async () => {
      await tested.store.close();
      const unavailable = { code: "STORE_UNAVAILABLE", outcome: "not-applied" };
      await expect(tested.store.get([`${root}a`])).rejects.toMatchObject(unavailable);
      await expect(tested.store.list(root)).rejects.toMatchObject(unavailable);
      await expect(write(tested.store, { delete: [`${root}a`] })).rejects.toMatchObject(unavailable);
    });
  });
}
