/** Random lives of pods against a plain model: no command ever takes an address or an interface from the wrong pod. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { type Answer, cleanSandbox, TestNode } from "./node-for-tests.ts";
import type { Plugin } from "./request.ts";

/** Two pods with two sandboxes each; a dash in one's ID, and one that begins like it. */
const CONTAINERS = ["a", "a-b", "c", "d"] as const;
type Container = (typeof CONTAINERS)[number];
const podOf = (container: Container): string => (container === "a" || container === "a-b" ? "one" : "two");
const INTERFACES = ["eth0", "b-c", "c"] as const;

interface Step {
  readonly command: "ADD" | "DEL" | "CHECK" | "GC" | "etcd goes" | "etcd comes" | "finish";
  readonly container: Container;
  readonly ifName: string;
  readonly plugin: Plugin;
  /** GC: those that the runtime still knows. */
  readonly known: readonly Container[];
}

const steps = fc.array(
  fc.record<Step>({
    command: fc.constantFrom("ADD", "ADD", "ADD", "DEL", "DEL", "CHECK", "GC", "etcd goes", "etcd comes", "finish"),
    container: fc.constantFrom(...CONTAINERS),
    ifName: fc.constantFrom(...INTERFACES),
    plugin: fc.constantFrom<Plugin>("overland", "overland", "overland", "overland-ipam"),
    known: fc.subarray([...CONTAINERS]),
  }),
  { minLength: 1, maxLength: 25 },
);

const sandboxes = new Map<Container, TestNetns>();

beforeAll(() => {
  for (const container of CONTAINERS) sandboxes.set(container, makeTestNetns());
});
afterAll(() => {
  for (const sandbox of sandboxes.values()) removeTestNetns(sandbox);
});

/** What must be so, in plain words: who has which addresses, and who has the host interface of each name. */
class Model {
  /** By container and interface. */
  readonly attached = new Map<string, readonly string[]>();
  /** Under which name the plugin was called for it. */
  readonly plugins = new Map<string, Plugin>();
  /** Addresses of DELs that etcd does not know of yet. */
  readonly pending = new Map<string, readonly string[]>();
  /** By pod and interface. */
  readonly owners = new Map<string, string>();
  etcd = true;

  deleted(key: string, plugin: Plugin): void {
    // The other kind's is left alone.
    if (this.attached.has(key) && this.plugins.get(key) !== plugin) return;
    const addresses = this.attached.get(key) ?? this.pending.get(key);
    this.attached.delete(key);
    for (const [name, owner] of this.owners) if (owner === key) this.owners.delete(name);
    if (this.etcd) this.pending.delete(key);
    else if (addresses !== undefined) this.pending.set(key, addresses);
  }

  finished(): void {
    if (this.etcd) this.pending.clear();
  }
}

const keyOf = ({ container, ifName }: Step): string => `net.${container}.${ifName}`;
const addressesOf = ({ said }: Answer): string[] =>
  said.ips.map(({ address }: { address: string }) => address.split("/")[0]).sort();

async function take(node: TestNode, model: Model, step: Step): Promise<void> {
  const key = keyOf(step);
  const name = `${podOf(step.container)}/${step.ifName}`;
  const netns = (sandboxes.get(step.container) as TestNetns).path;
  const request = {
    containerID: step.container,
    netns,
    ifName: step.ifName,
    pod: podOf(step.container),
    plugin: step.plugin,
  };
  switch (step.command) {
    case "ADD": {
      const answer = await node.ask({ command: "ADD", ...request });
      const known = model.attached.get(key);
      const whole = step.plugin === "overland-ipam" || model.owners.get(name) === key;
      const fine = known === undefined ? model.etcd : whole && model.plugins.get(key) === step.plugin;
      expect({ step, answer }).toMatchObject({ answer: { ok: fine } });
      if (!fine) return;
      if (known !== undefined) expect(addressesOf(answer)).toEqual(known);
      const others = [...model.attached.entries()].filter(([other]) => other !== key).flatMap(([, held]) => held);
      for (const address of addressesOf(answer)) expect(others).not.toContain(address);
      model.pending.delete(key);
      model.attached.set(key, addressesOf(answer));
      model.plugins.set(key, step.plugin);
      if (step.plugin === "overland") model.owners.set(name, key);
      return;
    }
    case "DEL":
      expect(await node.ask({ command: "DEL", ...request })).toEqual({ ok: true, said: "" });
      model.deleted(key, step.plugin);
      return;
    case "CHECK": {
      const own = model.attached.has(key) && model.plugins.get(key) === step.plugin;
      const fine = own && (step.plugin === "overland-ipam" || model.owners.get(name) === key);
      expect({ step, answer: await node.ask({ command: "CHECK", ...request }) }).toMatchObject({
        answer: { ok: fine },
      });
      return;
    }
    case "GC": {
      const valid = step.known.flatMap((containerID) => INTERFACES.map((ifname) => ({ containerID, ifname })));
      const config = { "cni.dev/valid-attachments": valid };
      expect((await node.ask({ command: "GC", config, plugin: step.plugin })).ok).toBe(true);
      const isKnown = (one: string) => step.known.some((container) => one.startsWith(`net.${container}.`));
      for (const one of [...model.attached.keys()]) if (!isKnown(one)) model.deleted(one, step.plugin);
      return;
    }
    case "finish":
      await node.finishPending();
      model.finished();
      return;
    default:
      model.etcd = step.command === "etcd comes";
      node.etcdIsAway = !model.etcd;
  }
}

async function compare(node: TestNode, model: Model): Promise<void> {
  const line = ([key, addresses]: [string, readonly string[]]) => `${key} ${addresses.join(" ")}`;
  expect(node.attached()).toEqual([...model.attached].map(line).sort());
  expect(node.recorded()).toEqual(node.attached());
  expect(await node.allocations()).toEqual([...model.attached, ...model.pending].map(line).sort());
  expect(node.interfaces()).toHaveLength(model.owners.size);
  for (const known of node.context.attachments.all()) {
    if (known.hostInterface !== "") expect(node.network.check(known)).toEqual([]);
  }
}

async function withNode(work: (node: TestNode) => Promise<void>): Promise<void> {
  const node = new TestNode();
  try {
    await work(node);
  } finally {
    node.close();
    for (const sandbox of sandboxes.values()) cleanSandbox(sandbox);
  }
}

describe("pods come and go", () => {
  it("one command after the other, as the model says", async () => {
    const property = fc.asyncProperty(steps, (list) =>
      withNode(async (node) => {
        const model = new Model();
        for (const step of list) {
          await take(node, model, step);
          await compare(node, model);
        }
        expect(await node.audit()).toEqual([]);
        expect(node.routes()).toEqual([...model.owners.values()].flatMap((key) => model.attached.get(key)).sort());
      }),
    );
    await fc.assert(property, { numRuns: 40 });
  }, 120_000);

  it("all at once: whoever is left is whole, and nothing else is", async () => {
    const property = fc.asyncProperty(steps, (list) =>
      withNode(async (node) => {
        const answers = await Promise.all(
          list.map(async ({ command, container, ifName, plugin }) => ({
            command,
            answer: await node.ask({
              ...{
                command: command === "ADD" || command === "CHECK" ? command : "DEL",
                containerID: container,
                ifName,
              },
              ...{ netns: (sandboxes.get(container) as TestNetns).path, pod: podOf(container), plugin },
            }),
          })),
        );
        for (const one of answers) if (one.command === "DEL") expect(one.answer).toEqual({ ok: true, said: "" });
        expect(await node.audit()).toEqual([]);
        expect(await node.allocations()).toEqual(node.attached());
        const wired = node.context.attachments.all().filter(({ hostInterface }) => hostInterface !== "");
        expect(node.interfaces()).toEqual(wired.map(({ hostInterface }) => hostInterface).sort());
        for (const known of wired) expect(node.network.check(known)).toEqual([]);
      }),
    );
    await fc.assert(property, { numRuns: 15 });
  }, 120_000);
});
