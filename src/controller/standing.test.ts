/** Who acts: by the lock alone, and by a Lease with the lock as its fence. */
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { Standing } from "./standing.ts";

const put = (key: string) => ({ expect: [], put: [{ key, value: "" }], delete: [] });

it("whom the Lease chose writes at once, and who lost it writes nothing more, though it does not know yet", async () => {
  const store = new MemoryStore();
  const [first, second] = [
    { leads: true, holder: "a" as string | undefined },
    { leads: false, holder: "a" as string | undefined },
  ];
  const [a, b] = [new Standing(store, first), new Standing(store, second)];
  await a.beat(0);
  await b.beat(0);
  expect([a.leads, b.leads, b.other]).toEqual([true, false, "a"]);
  expect(await a.commit(put("x"))).toBe(true);
  expect(await b.commit(put("x"))).toBe(false);
  // The Lease went to the other one; the first was frozen meanwhile.
  second.leads = true;
  await b.beat(1);
  expect(await b.commit(put("y"))).toBe(true);
  expect(a.leads).toBe(true);
  expect(await a.commit(put("z"))).toBe(false);
  expect((await a.store.commit(put("z"))).committed).toBe(false);
  expect(await store.get(["z"])).toEqual([undefined]);
});

it("without its Lease it acts no more, whatever the lock says, and gives the lock back", async () => {
  const store = new MemoryStore();
  const election = { leads: true, holder: "a" };
  const a = new Standing(store, election);
  await a.beat(0);
  election.leads = false;
  expect(a.leads).toBe(false);
  expect(await a.commit(put("x"))).toBe(false);
  expect((await a.store.commit(put("x"))).committed).toBe(false);
  await a.beat(1);
  const alone = new Standing(store);
  await alone.beat(1);
  expect(alone.leads).toBe(true);
});
