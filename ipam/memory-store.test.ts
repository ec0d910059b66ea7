import { describe, expect, it } from "@jest/globals";
import { MemoryStore } from "./memory-store.ts";
import { describeStore, WatchLog, write } from "./store-contract.ts";

describeStore("memory", async () => {
  const store = new MemoryStore();
  return { store, other: store.anotherClient(), stop: async () => {} };
});

const put = { put: [{ key: "/k", value: "v" }] };

describe("faults on request", () => {
  it.each([
    ["lose-request", "unknown", false],
    ["lose-reply", "unknown", true],
    ["refuse", "not-applied", false],
  ] as const)("%s: outcome %s, applied %s", async (interference, outcome, applied) => {
    const store = new MemoryStore();
    store.interfere = ({ number }) => (number === 1 ? interference : undefined);
    await expect(write(store, put)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", outcome });
    expect((await store.get(["/k"]))[0] !== undefined).toBe(applied);
  });

  it("conflict: nothing is applied", async () => {
    const store = new MemoryStore();
    store.interfere = ({ number }) => (number === 1 ? "conflict" : undefined);
    expect(await store.commit({ expect: [], delete: [], ...put })).toEqual({ committed: false });
    expect(await store.get(["/k"])).toEqual([undefined]);
  });

  it("delay-request: applied when delivered, if its expectations still hold", async () => {
    const store = new MemoryStore();
    store.interfere = () => "delay-request";
    await expect(write(store, { ...put, expect: [{ key: "/k", modRevision: 0n }] })).rejects.toThrow();
    store.interfere = () => undefined;
    expect(await store.get(["/k"])).toEqual([undefined]);
    store.deliverDelayed();
    expect((await store.get(["/k"]))[0]?.value).toBe("v");
  });

  it("tells disturbed watches of trouble and begins anew", async () => {
    const store = new MemoryStore();
    const log = new WatchLog();
    store.watch("/", log);
    await write(store, put);
    store.disturbWatches("for the test");
    expect(log.lines).toEqual(["snapshot ", "/k=v", "trouble", "snapshot /k=v"]);
  });
});
