import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { scratchNetns, withNetns } from "./netns.ts";
import { ip, makeTestNetns, removeTestNetns, type TestNetns } from "./testing.ts";

let outer: TestNetns;
let inner: TestNetns;

beforeEach(() => {
  outer = makeTestNetns();
  inner = makeTestNetns();
  ip(outer, "link add name inouter type bridge");
  ip(inner, "link add name ininner type bridge");
});

afterEach(() => {
  removeTestNetns(outer);
  removeTestNetns(inner);
});

/** The links the calling thread sees. */
function links(): string {
  return readFileSync("/proc/thread-self/net/dev", "utf8");
}

describe("visiting a namespace", () => {
  it("comes back after success, after a throw, and from a visit within a visit", () => {
    withNetns(outer.path, () => {
      expect(links()).toContain("inouter");
      expect(withNetns(inner.path, links)).toContain("ininner");
      expect(links()).toContain("inouter");
    });
    expect(links()).not.toContain("inouter");
    expect(() =>
      withNetns(outer.path, () => {
        throw new Error("thrown inside");
      }),
    ).toThrow("thrown inside");
    expect(links()).not.toContain("inouter");
  });

  it("takes no other thread along", async () => {
    const threads = () => stat("/proc/thread-self/ns/net").then(({ ino }) => ino);
    const before = await threads();
    const during = withNetns(outer.path, () => [threads()]);
    expect(await during[0]).toBe(before);
  });

  it("refuses what is no namespace, and work that would go on after the visit", () => {
    expect(() => withNetns("/run/netns/ovt-none", links)).toThrow("ENOENT");
    expect(() => withNetns("/etc/hostname", links)).toThrow("EINVAL");
    expect(() => withNetns(outer.path, async () => undefined)).toThrow("must be synchronous");
    expect(links()).not.toContain("inouter");
  });
});

describe("a scratch namespace", () => {
  it("is empty but for lo, and leaves us where we were", () => {
    const before = links();
    const scratch = scratchNetns();
    expect(withNetns(scratch.path, links).match(/^ *\w+:/gm)).toEqual(["    lo:"]);
    scratch.close();
    expect(links().split("\n")).toHaveLength(before.split("\n").length);
  });
});
