/** The stored records: what is written is read back, and nothing else is taken for a record. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { decodeAffinity, encodeAffinity } from "./affinity.ts";
import { type Allocation, type Block, capacity, decodeBlock, encodeBlock } from "./block.ts";
import { decodeHandle, encodeHandle } from "./handle.ts";
import { affinityKey, affinityOfKey, blockKey, blockOfKey, handleKey, handleOfKey } from "./keys.ts";
import * as any from "./net/arbitraries.ts";
import { address } from "./net/arbitraries.ts";
import { type Prefix, prefixAround, prefixOf } from "./net/prefix.ts";

const allocation = fc.record<Allocation>(
  {
    handle: fc.string(),
    namespace: fc.string(),
    pod: fc.string(),
    node: fc.string(),
    containerID: fc.string(),
    ifName: fc.string(),
    at: fc.nat(),
  },
  { requiredKeys: ["handle", "containerID", "ifName", "at"] },
);
const blockCidr = fc.tuple(address, fc.nat(6)).map(([at, bits]): Prefix => prefixAround(at, at.length * 8 - bits));
const block = blockCidr.chain((cidr) => {
  const ordinal = fc.nat(2 ** (cidr.address.length * 8 - cidr.length) - 1);
  return fc.record<Block>({
    cidr: fc.constant(cidr),
    pool: fc.string(),
    node: fc.string(),
    claimedAt: fc.nat(),
    allocations: fc.array(fc.tuple(ordinal, allocation)).map((list) => new Map(list)),
    released: fc.array(fc.tuple(ordinal, fc.nat())).map((list) => new Map(list)),
  });
});
const name = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("n1", "a/b", "..", "%", "node.example.org"));

const bare = (one: unknown) => JSON.parse(JSON.stringify(one)) as unknown;

describe("records are read back as they were written", () => {
  it("blocks", () => {
    fc.assert(
      fc.property(block, (one) => {
        const read = decodeBlock(encodeBlock(one));
        expect(read?.cidr).toEqual(one.cidr);
        expect(bare(Object.fromEntries(read?.allocations ?? []))).toEqual(bare(Object.fromEntries(one.allocations)));
        expect(new Map(read?.released)).toEqual(new Map(one.released));
        expect([read?.pool, read?.node, read?.claimedAt]).toEqual([one.pool, one.node, one.claimedAt]);
        expect(read && encodeBlock(read)).toBe(encodeBlock(one));
      }),
    );
  });

  it("affinities", () => {
    const affinity = fc.record({ cidr: blockCidr, pool: fc.string(), claimedAt: fc.nat() });
    fc.assert(fc.property(affinity, (one) => expect(decodeAffinity(encodeAffinity(one))).toEqual(one)));
  });

  it("handles", () => {
    const workload = { handle: "h", namespace: "a", pod: "b", containerID: "c", ifName: "eth0" };
    fc.assert(
      fc.property(fc.array(fc.tuple(address, blockCidr)), (pairs) => {
        const record = {
          addresses: pairs.map(([at]) => at),
          blocks: pairs.map(([, cidr]) => cidr),
          node: "n",
          writer: "w",
          workload,
        };
        expect(decodeHandle(encodeHandle(record))).toEqual(record);
      }),
    );
  });

  it("keys", () => {
    fc.assert(
      fc.property(any.prefix, name, name, (cidr, node, handle) => {
        expect(blockOfKey(blockKey(cidr))).toEqual(cidr);
        expect(affinityOfKey(affinityKey(node, cidr))).toEqual({ node, cidr });
        expect(handleOfKey(handleKey(handle))).toBe(handle);
      }),
    );
    expect(blockKey(prefixOf("10.244.0.0/26"))).toBe("/overland/v1/ipam/blocks/10.244.0.0-26");
    expect(affinityKey("n1", prefixOf("fd00::/122"))).toBe("/overland/v1/ipam/affinities/n1/fd00::-122");
  });
});

describe("nothing else is taken for a record", () => {
  const good = encodeBlock({
    cidr: prefixOf("10.0.0.0/30"),
    pool: "p",
    node: "n",
    claimedAt: 1,
    allocations: new Map([[3, { handle: "h", containerID: "c", ifName: "eth0", at: 1 }]]),
    released: new Map(),
  });
  const change = (more: object) => JSON.stringify({ ...(JSON.parse(good) as object), ...more });

  it.each([
    "",
    "null",
    "[]",
    "{",
    "{}",
    change({ cidr: "10.0.0.1/30" }),
    change({ cidr: 7 }),
    change({ pool: null }),
    change({ claimedAt: "now" }),
    change({ allocations: [] }),
    change({ allocations: { 4: { handle: "h", containerID: "c", ifName: "e", at: 1 } } }),
    change({ allocations: { "01": { handle: "h", containerID: "c", ifName: "e", at: 1 } } }),
    change({ allocations: { 1: { handle: "h" } } }),
    change({ released: { 1: "now" } }),
  ])("not a block: %j", (text) => expect(decodeBlock(text)).toBeUndefined());

  it.each([
    "",
    "null",
    '{"addresses":["1.2.3.4"],"blocks":[],"node":"n","writer":"w","workload":{"handle":"","containerID":""}}',
    '{"addresses":["1.2.3"],"blocks":["1.2.3.0/24"],"node":"n","writer":"w","workload":{"handle":"","containerID":""}}',
    '{"addresses":[],"blocks":[],"node":"n","writer":"w"}',
  ])("not a handle: %j", (text) => expect(decodeHandle(text)).toBeUndefined());

  it.each(["", "1", '{"cidr":"10.0.0.0/26"}', '{"cidr":"10.0.0.1/26","pool":"p","claimedAt":1}'])(
    "not an affinity: %j",
    (text) => expect(decodeAffinity(text)).toBeUndefined(),
  );

  it("keys of elsewhere", () => {
    for (const key of [
      "",
      "/overland/v1/resources/x",
      blockKey(prefixOf("::/0")).slice(0, -2),
      "/overland/v1/ipam/affinities/n1",
    ]) {
      expect([blockOfKey(key), affinityOfKey(key), handleOfKey(key)]).toEqual([undefined, undefined, undefined]);
    }
    expect(handleOfKey("/overland/v1/ipam/handles/%")).toBeUndefined();
  });
});

it("a block's capacity is the number of its addresses", () => {
  fc.assert(
    fc.property(block, (one) => expect(capacity(one)).toBe(2 ** (one.cidr.address.length * 8 - one.cidr.length))),
  );
});
