import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { type Cluster, type KubeObject, SECRETS, type Selection } from "../cluster/port.ts";
import type { PeerIntent, SecretKey } from "../config/peer-intent.ts";
import { Passwords } from "./passwords.ts";

const NAMESPACE = "overland-system";
const TOR: SecretKey = { name: "bgp", key: "tor" };

function peer(name: string, password?: SecretKey): PeerIntent {
  return {
    name,
    type: "global",
    address: addressOf("10.0.0.9"),
    port: 179,
    asNumber: 65001,
    localASNumber: 64512,
    passive: false,
    holdTime: 90,
    maxRestartTime: 120,
    nextHopMode: "Auto",
    numAllowedLocalASNumbers: 0,
    ...(password !== undefined && { password }),
  };
}

const secret = (name: string, values: Readonly<Record<string, string>>, namespace = NAMESPACE) => {
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, btoa(value)]));
  return { metadata: { name, namespace }, data } as KubeObject;
};

/** Counts what is watched. */
class Counting extends MemoryCluster {
  readonly watched: Selection[] = [];
  stopped = 0;
  override watch: Cluster["watch"] = (selection, keep, to) => {
    this.watched.push(selection);
    const watch = super.watch(selection, keep, to);
    return {
      get synced() {
        return watch.synced;
      },
      stop: () => {
        this.stopped++;
        watch.stop();
      },
    };
  };
}

const directory = mkdtempSync(`${tmpdir()}/overland-passwords-`);
const file = `${directory}/passwords`;
beforeEach(() => rmSync(file, { force: true }));
afterAll(() => rmSync(directory, { recursive: true }));

/** Follows, and never hears a word. */
class Silent extends MemoryCluster {
  override watch: Cluster["watch"] = () => ({ synced: false, stop: () => undefined });
}

function passwordsOn(cluster: Cluster | undefined) {
  const said: string[] = [];
  let changes = 0;
  const log = { warn: (text: string) => void said.push(text), info: (text: string) => void said.push(text) };
  const passwords = new Passwords({ cluster, file, log, changed: () => changes++ });
  return { passwords, said, changes: () => changes };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("the password of a peer", () => {
  it("is there only while its Secret has the key, and each step is told", async () => {
    const cluster = new MemoryCluster();
    const { passwords, said, changes } = passwordsOn(cluster);
    passwords.follow([peer("tor", TOR), peer("open")]);
    expect(passwords.of(TOR)).toEqual({ missing: "Secret overland-system/bgp is not read yet" });
    expect(said).toEqual([]);
    await settle();
    const missing = "there is no Secret overland-system/bgp; create it";
    expect(passwords.of(TOR)).toEqual({ missing });
    expect(passwords.problems).toEqual([`the session tor stays down: ${missing}`]);
    expect(said).toEqual(passwords.problems);
    cluster.put(SECRETS, secret("bgp", { other: "x" }));
    expect(passwords.of(TOR)).toEqual({ missing: "Secret overland-system/bgp has no key tor; add it" });
    cluster.put(SECRETS, secret("bgp", { other: "x", tor: "first" }));
    expect([passwords.of(TOR), passwords.problems]).toEqual([{ value: "first" }, []]);
    const before = changes();
    cluster.put(SECRETS, secret("unasked", { tor: "y" }));
    cluster.put(SECRETS, secret("bgp", { tor: "elsewhere" }, "default"));
    expect([changes(), passwords.of(TOR)]).toEqual([before, { value: "first" }]);
    cluster.put(SECRETS, secret("bgp", { tor: "second" }));
    expect([changes(), passwords.of(TOR)]).toEqual([before + 1, { value: "second" }]);
    cluster.remove({ type: SECRETS, namespace: NAMESPACE, name: "bgp" });
    expect(passwords.of(TOR)).toEqual({ missing });
    expect(said.join("\n")).not.toMatch(/first|second/);
  });

  it.each([
    ["", "is empty; give it a value"],
    ["p".repeat(81), "has 81 octets, and a TCP MD5 password has at most 80"],
    ["secret\n", "ends with a line break; store it without (printf, not echo)"],
    ["\xff\xfe", "is not UTF-8 text; give it another"],
    ["a\0b", "holds a zero octet; give it another"],
  ])("%j keeps the session down", async (value, why) => {
    const cluster = new MemoryCluster();
    cluster.put(SECRETS, secret("bgp", { tor: value }));
    const { passwords } = passwordsOn(cluster);
    passwords.follow([peer("tor", TOR)]);
    await settle();
    expect(passwords.of(TOR)).toEqual({ missing: `key tor of Secret overland-system/bgp ${why}` });
  });

  it("is watched once for 99 peers, and no more when none asks", async () => {
    const cluster = new Counting();
    const { passwords } = passwordsOn(cluster);
    const peers = Array.from({ length: 99 }, (_, n) => peer(`p${n}`, TOR));
    passwords.follow(peers);
    passwords.follow([...peers, peer("x", { name: "bgp", key: "x" })]);
    await settle();
    const only = [{ type: SECRETS, namespace: NAMESPACE, fieldSelector: "metadata.name=bgp" }];
    expect(cluster.watched).toEqual(only);
    expect(passwords.problems).toEqual([
      "the sessions p0, p1, p2 and 96 more stay down: there is no Secret overland-system/bgp; create it",
      "the session x stays down: there is no Secret overland-system/bgp; create it",
    ]);
    passwords.follow([]);
    expect([cluster.stopped, passwords.problems]).toEqual([1, []]);
  });

  it("goes on while the API server is away, and a problem says so", async () => {
    const cluster = new MemoryCluster();
    cluster.put(SECRETS, secret("bgp", { tor: "first" }));
    const { passwords, changes } = passwordsOn(cluster);
    passwords.follow([peer("tor", TOR)]);
    await settle();
    const before = changes();
    cluster.setDown("connection refused");
    expect(passwords.of(TOR)).toEqual({ value: "first" });
    expect(passwords.problems).toEqual([
      "Secret overland-system/bgp: connection refused; going on with what was last read",
    ]);
    cluster.setDown(undefined);
    expect([passwords.problems, changes()]).toEqual([[], before]);
  });

  it("outlives the agent where the API server says nothing: for root alone, and only what is asked for", async () => {
    const cluster = new MemoryCluster();
    cluster.put(SECRETS, secret("bgp", { tor: "first", other: "unasked" }));
    const before = passwordsOn(cluster).passwords;
    before.follow([peer("tor", TOR)]);
    await settle();
    before.stop();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toBe(JSON.stringify({ "overland-system/bgp": { tor: btoa("first") } }));
    const silent = passwordsOn(new Silent()).passwords;
    silent.follow([peer("tor", TOR)]);
    expect([silent.of(TOR), silent.problems]).toEqual([{ value: "first" }, []]);
    // It says that there is none any more.
    cluster.remove({ type: SECRETS, namespace: NAMESPACE, name: "bgp" });
    const after = passwordsOn(cluster).passwords;
    after.follow([peer("tor", TOR)]);
    expect(after.of(TOR)).toEqual({ value: "first" });
    await settle();
    expect(after.of(TOR)).toEqual({ missing: "there is no Secret overland-system/bgp; create it" });
    expect(existsSync(file)).toBe(false);
  });

  it("outlives the agent too when a peer asks for it long after its Secret was read", async () => {
    const cluster = new MemoryCluster();
    cluster.put(SECRETS, secret("bgp", { tor: "one", mesh: "two" }));
    const { passwords } = passwordsOn(cluster);
    passwords.follow([peer("tor", TOR)]);
    await settle();
    const mesh: SecretKey = { name: "bgp", key: "mesh" };
    passwords.follow([peer("tor", TOR), peer("r1n2", mesh)]);
    const { passwords: next } = passwordsOn(new Silent());
    next.follow([peer("tor", TOR), peer("r1n2", mesh)]);
    expect([next.of(TOR), next.of(mesh)]).toEqual([{ value: "one" }, { value: "two" }]);
    // Nothing is forgotten by one who was told nothing.
    expect(passwordsOn(new Silent()).passwords.of(mesh)).toEqual({ value: "two" });
  });

  it.each(["", "{", "[]", '{"overland-system/bgp": {"tor": 1}}', '{"overland-system/bgp": null}'])(
    "is not taken from a file of %j",
    (text) => {
      writeFileSync(file, text);
      const { passwords } = passwordsOn(new Silent());
      passwords.follow([peer("tor", TOR)]);
      expect(passwords.of(TOR)).toEqual({ missing: "Secret overland-system/bgp is not read yet" });
    },
  );

  it("cannot be had without Kubernetes", () => {
    const { passwords } = passwordsOn(undefined);
    passwords.follow([peer("tor", TOR)]);
    expect(passwords.of(TOR)).toEqual({ missing: expect.stringContaining("no access to Kubernetes") });
  });
});
