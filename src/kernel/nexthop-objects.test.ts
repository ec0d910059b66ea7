import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { listLinks } from "./links.ts";
import { NextHopObjects } from "./nexthop-objects.ts";
import { ip, ipJson, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns } from "./testing.ts";

let netns: TestNetns;
let other: TestNetns;
let objects: NextHopObjects;

beforeEach(() => {
  netns = makeTestNetns();
  other = makeTestNetns();
  joinTestNetns(netns, other, ["10.1.0.1/24", "fd00:1::1/64"], []);
  objects = open();
});

afterEach(() => {
  objects.close();
  removeTestNetns(netns);
  removeTestNetns(other);
});

function open(table = 254): NextHopObjects {
  return new NextHopObjects(netns.path, 201, table);
}

function hops(...gateways: readonly string[]) {
  const { index } = listLinks(netns.path).find(({ name }) => name === "left") as { index: number };
  return gateways.map((gateway) => ({ gateway: addressOf(gateway), interfaceIndex: index }));
}

/** Ids in the kernel. */
function shown(): number[] {
  return ipJson(netns, "nexthop show").map(({ id }) => id as number);
}

const ids = (...sets: readonly ReturnType<typeof hops>[]) => sets.map((set) => objects.idOf(set));
const group = () => hops("10.1.0.2", "10.1.0.3");

describe("nexthop objects", () => {
  it("are one for equal sets of next hops, in any order, and carry our protocol", () => {
    const [one, same, two, reversed] = ids(hops("10.1.0.2"), hops("10.1.0.2"), group(), group().reverse());
    expect(one).toBe(same);
    expect(two).toBe(reversed);
    expect(two).not.toBe(one);
    expect(ipJson(netns, "nexthop show")).toHaveLength(3);
    for (const { protocol } of ipJson(netns, "nexthop show")) expect(protocol).toBe("201");
  });

  it("are not made of what they cannot stand for", () => {
    const interfaceIndex = hops("10.1.0.2")[0]?.interfaceIndex ?? 0;
    expect(objects.idOf([{ interfaceIndex }])).toBeUndefined();
    expect(objects.idOf([{ gateway: addressOf("10.1.0.2") }])).toBeUndefined();
    expect(ids([], hops("10.1.0.2", "10.1.0.2"), hops("192.0.2.1"))).toEqual([undefined, undefined, undefined]);
  });

  it("of an earlier run are found again", () => {
    const before = ids(hops("10.1.0.2"), group(), hops("fd00:1::2"));
    objects.close();
    objects = open();
    expect(ids(hops("10.1.0.2"), group(), hops("fd00:1::2"))).toEqual(before);
    expect(shown()).toHaveLength(4);
  });

  it("of another table are others", () => {
    const elsewhere = open(100);
    expect(elsewhere.idOf(hops("10.1.0.2"))).not.toBe(objects.idOf(hops("10.1.0.2")));
    elsewhere.deleteAll();
    elsewhere.close();
    expect(shown()).toEqual(ids(hops("10.1.0.2")));
  });

  it("keep off ids that others use", () => {
    const [id = 0] = ids(hops("10.1.0.2"));
    objects.deleteAll();
    ip(netns, `nexthop add id ${id} blackhole`);
    const [next] = ids(hops("10.1.0.2"));
    expect(next).toBe(id + 1);
  });

  it("that were lost are made anew, with their groups", () => {
    const member = hops("10.1.0.2");
    const set = group();
    const [one = 0, two = 0] = ids(member, set);
    ip(netns, `nexthop del id ${one}`);
    const age = objects.age;
    expect(objects.lost(one)).toBe(true);
    expect(objects.lost(1)).toBe(false);
    expect(objects.age).toBeGreaterThan(age);
    expect(objects.idIfKnown(set)).toBeUndefined();
    expect(ids(member)).toEqual([one]);
    // The kernel has kept the group with the member that is left, which is not what it stood for.
    expect(ids(set)).not.toEqual([two]);
    expect(shown()).toContain(two);
  });

  it("are deleted when two listings have shown that no route uses them", () => {
    const set = hops("10.1.0.2");
    const [id = 0] = ids(set);
    const list = (used: readonly number[], nothingWaits = true) => {
      objects.beginListing(nothingWaits);
      objects.endListing(new Set(used));
    };
    list([id]);
    list([]);
    expect([objects.idIfKnown(set), shown()]).toEqual([undefined, [id]]);
    // A route that was laid out earlier may be on its way.
    list([], false);
    list([id]);
    expect(shown()).toEqual([id]);
    list([]);
    expect(shown()).toEqual([]);
  });

  it("that are wanted again before they are deleted stay", () => {
    const set = hops("10.1.0.2");
    const [id = 0] = ids(set);
    objects.beginListing(true);
    objects.endListing(new Set());
    objects.beginListing(true);
    expect(ids(set)).toEqual([id]);
    objects.endListing(new Set());
    expect(shown()).toEqual([id]);
  });
});
