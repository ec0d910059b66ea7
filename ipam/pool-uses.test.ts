/** What pools are for and whom they serve; addresses asked for exactly. */
import { describe, expect, it } from "@jest/globals";
import { MemoryStore } from "./memory-store.ts";
import { addressOf } from "./net/address.ts";
import { allocatorOn, auditOf, poolOf, requestOf, texts } from "./world-for-tests.ts";

const refusal = (code: string, retryable: boolean, message: RegExp = /./) =>
  expect.objectContaining({ name: "Refusal", code, retryable, message: expect.stringMatching(message) });

describe("allowedUses", () => {
  it.each([["Tunnel"], ["LoadBalancer"]] as const)(
    "a pool for %s alone gives pods nothing, even by name",
    async (use) => {
      const node = allocatorOn(new MemoryStore(), "n1", [poolOf("p", "10.0.0.0/24", 26, { allowedUses: [use] })]);
      const why = refusal("no-pool", false, new RegExp(`p \\(10.0.0.0/24\\) has allowedUses ${use}, without Workload`));
      await expect(node.assign(requestOf("a", [4]))).rejects.toEqual(why);
      await expect(node.assign(requestOf("a", [4], { pools: ["p"] }))).rejects.toEqual(why);
      await expect(node.assign(requestOf("a", [4], { addresses: [addressOf("10.0.0.7")] }))).rejects.toEqual(why);
    },
  );
});

describe("namespaceSelector", () => {
  const blue = poolOf("blue", "10.0.1.0/24", 26, { namespaceSelector: "team == 'blue'" });
  const notRed = poolOf("not-red", "fd00::/64", 122, { namespaceSelector: "team != 'red'" });

  it("serves pods of the namespaces it selects", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [blue, notRed]);
    const pools = async (handle: string, team: string) =>
      (await node.assign(requestOf(handle, [4, 6], { namespaceLabels: { team } }))).map(({ pool }) => pool);
    expect(await pools("a", "blue")).toEqual(["blue", "not-red"]);
    await expect(pools("b", "red")).rejects.toEqual(
      refusal("no-pool", false, /blue .* has namespaceSelector team == 'blue', which the namespace does not match/),
    );
  });

  it("serves nobody without a namespace's labels, unless it selects all or the pool is named", async () => {
    const all = poolOf("all", "10.0.2.0/24", 26, { namespaceSelector: "all()" });
    const node = allocatorOn(new MemoryStore(), "n1", [blue, notRed]);
    for (const family of [4, 6] as const) {
      await expect(node.assign(requestOf("a", [family]))).rejects.toEqual(
        refusal("no-pool", false, /has namespaceSelector .*, and the request tells no labels of a namespace/),
      );
    }
    expect((await node.assign(requestOf("a", [4], { pools: ["blue"] })))[0]?.pool).toBe("blue");
    node.setPools([blue, all]);
    expect((await node.assign(requestOf("b", [4])))[0]?.pool).toBe("all");
  });

  it("and nodeSelector must both select", async () => {
    const pool = poolOf("p", "10.0.1.0/24", 26, { namespaceSelector: "a == 'b'", nodeSelector: "rack == '1'" });
    const node = allocatorOn(new MemoryStore(), "n1", [pool]);
    const request = requestOf("x", [4], { namespaceLabels: { a: "b" } });
    await expect(node.assign(request)).rejects.toEqual(refusal("no-pool", false, /nodeSelector/));
    node.setNodeLabels({ rack: "1" });
    expect(await node.assign(request)).toHaveLength(1);
  });
});

describe.each([
  [4, "10.0.0.0/26", "10.0.0.7", "192.0.2.1"],
  [6, "fd00::/122", "fd00::7", "2001:db8::1"],
] as const)("an IPv%i address asked for exactly", (family, cidr, wanted, outside) => {
  const pool = poolOf("p", cidr, family === 4 ? 26 : 122);
  const exactly = (handle: string, text = wanted as string) =>
    requestOf(handle, [family], { addresses: [addressOf(text)] });

  it("is given though the pool's selectors and mode would not; the block becomes the node's", async () => {
    const store = new MemoryStore();
    const shy = {
      ...pool,
      nodeSelector: "rack == '9'",
      namespaceSelector: "a == 'b'",
      assignmentMode: "Manual",
    } as const;
    const node = allocatorOn(store, "n1", [shy]);
    expect(texts(await node.assign(exactly("a")))).toEqual([wanted]);
    expect(node.blocks()).toHaveLength(1);
    expect(await auditOf(store)).toEqual([]);
  });

  it("in another node's block is borrowed, and belongs to whoever has it", async () => {
    const store = new MemoryStore();
    const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => allocatorOn(store, name, [pool]));
    await n1?.assign(requestOf("own", [family]));
    expect(texts((await n2?.assign(exactly("a"))) ?? [])).toEqual([wanted]);
    expect(n2?.blocks()).toEqual([]);
    for (const node of [n1, n3]) {
      await expect(node?.assign(exactly("b"))).rejects.toEqual(
        refusal("address-in-use", true, new RegExp(`${wanted} is used by pod default/pod-a on node n2`)),
      );
    }
    await n2?.release("a");
    // Whoever asks for one address gets it at once, though it rests.
    expect(texts((await n3?.assign(exactly("b"))) ?? [])).toEqual([wanted]);
    expect(await auditOf(store)).toEqual([]);
  });

  it("needs a pool that is enabled", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [{ ...pool, disabled: true }]);
    await expect(node.assign(exactly("a"))).rejects.toEqual(
      refusal("no-pool", false, new RegExp(`address ${wanted} is not given out: IPPool p \\(${cidr}\\) is disabled`)),
    );
    await expect(node.assign(exactly("a", outside))).rejects.toEqual(
      refusal(
        "address-outside-pools",
        false,
        new RegExp(`address ${outside} is in no IPPool; there are: p \\(${cidr}`),
      ),
    );
    node.setPools([]);
    await expect(node.assign(exactly("a"))).rejects.toEqual(refusal("address-outside-pools", false, /there are: none/));
  });

  it("is had by one of those who ask at once", async () => {
    const store = new MemoryStore();
    const nodes = Array.from({ length: 5 }, (_, i) => allocatorOn(store, `n${i}`, [pool]));
    const settled = await Promise.allSettled(nodes.map((node, i) => node.assign(exactly(`h${i}`))));
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const one of settled)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "address-in-use" });
    expect(await auditOf(store)).toEqual([]);
  });
});
