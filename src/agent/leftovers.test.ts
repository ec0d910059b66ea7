/** What is left over, what is not, and when a second look makes it certain. Pure. */
import { describe, expect, it } from "@jest/globals";
import { Suspects } from "../../ipam/suspects.ts";
import type { Attachment } from "../cni/attachments.ts";
import { hostInterfaceName } from "../kernel/pod/wiring.ts";
import { ClockWatch } from "./clock-watch.ts";
import { type Holding, leftovers, type Presence, unrecorded } from "./leftovers.ts";

const web = hostInterfaceName("default", "web", "eth0");

const holding: Holding = {
  handle: "overland.c1.eth0",
  addresses: ["10.244.0.1"],
  containerID: "c1",
  ifName: "eth0",
  namespace: "default",
  pod: "web",
  since: 0,
};

const attachment: Attachment = {
  containerID: "c1",
  ifName: "eth0",
  network: "overland",
  handle: "overland.c1.eth0",
  namespace: "default",
  pod: "web",
  netns: "/run/netns/c1",
  hostInterface: web,
  hostMac: "",
  podMac: "",
  mtu: 1500,
  addresses: [],
};

const presence = (more: Partial<Presence> = {}): Presence => ({
  attachments: [],
  unreadable: new Set(),
  pending: new Set(),
  interfaces: new Set(),
  spared: new Set(),
  netnsExists: () => true,
  podIsGone: () => false,
  ...more,
});

const idsOf = (holdings: readonly Holding[], more: Partial<Presence>) =>
  leftovers(holdings, presence(more)).map(({ id }) => id);

describe("an allocation", () => {
  it("without attachment and interface is left over, and says why", () => {
    expect(leftovers([holding], presence())).toEqual([
      {
        kind: "allocation",
        id: "allocation overland.c1.eth0",
        why: `etcd has it, and no pod here does: no attachment c1-eth0, and there is no interface ${web}`,
        holding,
      },
    ]);
  });

  it.each<[string, Partial<Presence>]>([
    ["its attachment is on disk", { attachments: [attachment] }],
    ["its attachment's file cannot be read", { unreadable: new Set(["c1-eth0"]) }],
    ["its DEL is written down", { pending: new Set(["c1-eth0"]) }],
    ["its interface stood before the state was lost", { interfaces: new Set([web]), spared: new Set([web]) }],
  ])("is not when %s", (_, more) => {
    expect(idsOf([holding], more)).toEqual([]);
  });

  it("waits for its interface, which goes first; another container's interface of that name holds nothing up", () => {
    expect(idsOf([holding], { interfaces: new Set([web]) })).toEqual([`interface ${web}`]);
    const newer = { ...attachment, containerID: "c2", handle: "overland.c2.eth0" };
    expect(idsOf([holding], { interfaces: new Set([web]), attachments: [newer] })).toEqual([
      "allocation overland.c1.eth0",
    ]);
  });

  it("of another kind of holder than a container's interface is not ours to free", () => {
    expect(idsOf([{ ...holding, handle: "tunnel-n1" }], {})).toEqual([]);
  });
});

describe("an interface", () => {
  it("without attachment is left over, unless a file cannot be read or it was there before the state was lost", () => {
    expect(idsOf([], { interfaces: new Set([web]) })).toEqual([`interface ${web}`]);
    expect(idsOf([], { interfaces: new Set([web]), attachments: [attachment] })).toEqual([]);
    expect(idsOf([], { interfaces: new Set([web]), unreadable: new Set(["x"]) })).toEqual([]);
    expect(idsOf([], { interfaces: new Set([web]), spared: new Set([web]) })).toEqual([]);
  });
});

describe("an attachment", () => {
  const netnsExists = () => false;

  it("is left over when namespace and interface are gone, not when only one is", () => {
    const attachments = [attachment];
    expect(idsOf([holding], { attachments, netnsExists })).toEqual(["attachment c1-eth0"]);
    expect(idsOf([holding], { attachments, netnsExists, interfaces: new Set([web]) })).toEqual([]);
    expect(idsOf([holding], { attachments })).toEqual([]);
    expect(idsOf([holding], { attachments, netnsExists, pending: new Set(["c1-eth0"]) })).toEqual([]);
  });

  it("is left over when the namespace is gone and Kubernetes has no such pod, whatever holds the interface open", () => {
    const there = { attachments: [attachment], interfaces: new Set([web]), podIsGone: () => true };
    expect(idsOf([holding], { ...there, netnsExists })).toEqual(["attachment c1-eth0"]);
    expect(idsOf([holding], there)).toEqual([]);
  });

  it("of an older sandbox has no interface to wait for", () => {
    const older = { ...attachment, hostInterface: "" };
    const newer = { ...attachment, containerID: "c2", netns: "/run/netns/c2" };
    const interfaces = new Set([web]);
    const there = { attachments: [older, newer], interfaces, netnsExists: (path: string) => path.endsWith("c2") };
    expect(idsOf([holding], there)).toEqual(["attachment c1-eth0"]);
  });

  it("whose addresses etcd does not have is told", () => {
    expect(unrecorded([holding], [attachment])).toEqual([]);
    expect(unrecorded([], [attachment])).toEqual([attachment]);
  });
});

describe("a suspicion", () => {
  const found = [{ id: "a" }];

  it("is certain when it was found at every look for the grace time", () => {
    const suspects = new Suspects();
    expect(suspects.look(found, 0, 60)).toEqual([]);
    expect(suspects.look(found, 59, 60)).toEqual([]);
    expect(suspects.look(found, 60, 60)).toEqual(found);
  });

  it("starts anew when one look did not find it", () => {
    const suspects = new Suspects();
    suspects.look(found, 0, 60);
    expect(suspects.look([], 30, 60)).toEqual([]);
    expect(suspects.count).toBe(0);
    expect(suspects.look(found, 60, 60)).toEqual([]);
  });
});

describe("the wall clock", () => {
  it("that runs, or is slewed, does not jump", () => {
    const clock = new ClockWatch();
    for (let i = 0; i < 100; i++) expect(clock.look(1e12 + i * 20_000 + i, i * 20_000)).toBeUndefined();
    expect(clock.problems(0)).toEqual([]);
  });

  it.each([
    [3_600_000, "forward by 3600 s"],
    [-30_000, "back by 30 s"],
  ])("that jumps by %i ms is told of for a while", (ms, words) => {
    const clock = new ClockWatch();
    clock.look(1e12, 0);
    expect(clock.look(1e12 + 20_000 + ms, 20_000)).toBe(ms);
    expect(clock.problems(20_000)[0]).toContain(words);
    expect(clock.look(1e12 + 40_000 + ms, 40_000)).toBeUndefined();
    expect(clock.problems(700_000)).toEqual([]);
  });
});
