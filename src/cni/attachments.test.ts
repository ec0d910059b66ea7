/** Which pods are wired: over a restart, and over the upgrade from where their files lay before. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { type Attachment, Attachments } from "./attachments.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "overland-attachments-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const wired = (containerID: string, hostInterface = `ovl${containerID}`): Attachment => ({
  ...{
    containerID,
    ifName: "eth0",
    network: "net",
    handle: `net.${containerID}.eth0`,
    namespace: "default",
    pod: "web",
  },
  ...{ netns: `/run/netns/${containerID}`, hostInterface, hostMac: "", podMac: "", mtu: 1500 },
  addresses: [addressOf("10.244.0.1"), addressOf("fd00:244::1")],
});

it("are known after a restart, by container and by interface", () => {
  Attachments.open(folder).put(wired("a"));
  const again = Attachments.open(folder);
  expect(again.all()).toEqual([wired("a")]);
  expect([again.count, again.hasContainer("a"), again.ownerOf("ovla")?.containerID]).toEqual([1, true, "a"]);
  again.delete("a", "eth0");
  expect([again.count, again.hasContainer("a"), again.ownerOf("ovla")]).toEqual([0, false, undefined]);
  expect(Attachments.open(folder).all()).toEqual([]);
});

it("leave the interface to the newest one of the name", () => {
  const attachments = Attachments.open(folder);
  attachments.putAsOwner(wired("a", "ovlweb"));
  attachments.putAsOwner(wired("b", "ovlweb"));
  expect(attachments.ownerOf("ovlweb")?.containerID).toBe("b");
  expect(attachments.get("a", "eth0")?.hostInterface).toBe("");
  attachments.delete("a", "eth0");
  expect(attachments.ownerOf("ovlweb")?.containerID).toBe("b");
  expect(Attachments.open(folder).all()).toEqual([wired("b", "ovlweb")]);
});

it("are taken from the directory of an earlier version, what cannot be read among them", () => {
  const [before, now] = [join(folder, "state"), join(folder, "run")];
  mkdirSync(before);
  mkdirSync(now);
  const former = Attachments.open(before);
  former.put(wired("a"));
  former.put(wired("b"));
  writeFileSync(join(before, "attachments/c-eth0.json"), "{");
  // An agent was killed between the copy of one and its removal.
  mkdirSync(join(now, "attachments"));
  renameSync(join(before, "attachments/b-eth0.json"), join(now, "attachments/b-eth0.json"));
  Attachments.open(before).put(wired("b"));
  const taken = Attachments.open(now, before);
  expect(
    taken
      .all()
      .map(({ containerID }) => containerID)
      .sort(),
  ).toEqual(["a", "b"]);
  expect(taken.damaged).toEqual([expect.stringMatching(/^c-eth0\.json: /)]);
  expect(existsSync(join(before, "attachments"))).toBe(false);
  expect(readdirSync(join(now, "attachments")).sort()).toEqual(["a-eth0.json", "b-eth0.json", "c-eth0.json"]);
  expect(Attachments.open(now, before).count).toBe(2);
});
