import { setImmediate, setTimeout } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { MemoryStore } from "../../ipam/memory-store.ts";
import type { Kind } from "./kinds.ts";
import { resolveNode } from "./resolve.ts";
import type { ResourceSnapshot } from "./resource.ts";
import { resourceKey } from "./resource-keys.ts";
import { watchResources } from "./resource-watch.ts";
import { resource, type Spec } from "./resources-for-tests.ts";

const PATIENCE_MS = 20_000;
const LAST = "last";

/** Undefined: deleted. */
interface Change {
  readonly kind: Kind;
  readonly name: string;
  readonly value: string | undefined;
}

const put = (kind: Kind, name: string, spec: Spec, labels: Record<string, string> = {}): Change => {
  return { kind, name, value: JSON.stringify(resource(kind, name, spec, labels)) };
};

/** The marker is a Node that is written last, with the number of the time. */
const marker = (count: number) => put("Node", LAST, {}, { count: String(count) });
const has = ({ nodes }: ResourceSnapshot, count: number) =>
  nodes.some(({ metadata: { name, labels } }) => name === LAST && labels?.["count"] === String(count));

async function write(store: MemoryStore, { kind, name, value }: Change): Promise<void> {
  const key = resourceKey(kind, name);
  await store.commit({
    expect: [],
    put: value === undefined ? [] : [{ key, value }],
    delete: value === undefined ? [key] : [],
  });
}

function follow(store: MemoryStore, busyMs = 0) {
  const heard: ResourceSnapshot[] = [];
  const stop = watchResources(store, {
    changed({ snapshot }) {
      heard.push(snapshot);
      for (const end = performance.now() + busyMs; performance.now() < end; );
    },
    trouble: () => undefined,
  });
  const until = async (count: number): Promise<ResourceSnapshot> => {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const latest = heard.at(-1);
      if (latest !== undefined && has(latest, count)) return latest;
      if (performance.now() > end) throw new Error(`change ${count} was never told`);
      await setTimeout(1);
    }
  };
  return { heard, until, stop };
}

const nodeName = fc.constantFrom("a", "b", "c", "d");
const labels = fc.constantFrom<Record<string, string>>({}, { role: "rr" }, { rack: "1" }, { rack: "1", role: "rr" });
const host = fc.integer({ min: 1, max: 6 });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(nodeName, labels, host, fc.boolean()).map(([name, labels, n, reflects]) => {
    const bgp = { ipv4Address: `10.0.0.${n}/24`, ...(reflects && { routeReflectorClusterID: "1.1.1.1" }) };
    return put("Node", name, { bgp }, labels);
  }),
  fc.tuple(nodeName, host).map(([name, n]) => put("Node", name, { bgp: { ipv6Address: `fd00::${n}/64` } })),
  fc
    .tuple(fc.constantFrom("default", "node.a", "node.b"), fc.integer({ min: 1, max: 3 }), fc.boolean())
    .map(([name, n, mesh]) => {
      const own = { listenPort: 178 + n, holdTime: `${n * 3}s` };
      const whole = { asNumber: 64511 + n, nodeToNodeMeshEnabled: mesh };
      return put("BGPConfiguration", name, name === "default" ? { ...own, ...whole } : own);
    }),
  fc
    .tuple(fc.constantFrom("p", "q"), fc.constantFrom("all()", "has(rack)"))
    .map(([name, nodeSelector]) => put("BGPPeer", name, { nodeSelector, peerSelector: "has(role)" })),
  fc.record({
    kind: fc.constantFrom<Kind>("Node", "BGPConfiguration", "BGPPeer"),
    name: fc.constantFrom("a", "b", "default", "node.a", "p"),
    // Nothing unreadable: of that, who was there before goes on with what it knew, and who begins anew cannot.
    value: fc.constant(undefined),
  }),
);

describe("resources that are followed", () => {
  it("are after any changes what somebody hears who begins anew, and mean the same", async () => {
    const rounds = fc.array(fc.array(change, { maxLength: 4 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(rounds, async (changes) => {
        const store = new MemoryStore();
        const followed = follow(store);
        for (const [count, round] of changes.entries()) {
          for (const one of round) await write(store, one);
          await write(store, marker(count));
          const snapshot = await followed.until(count);
          const anew = follow(store);
          const whole = await anew.until(count);
          anew.stop();
          expect(snapshot).toEqual(whole);
          // Nothing of it is the same object, so nothing is known of before.
          expect(resolveNode(snapshot, "a")).toEqual(resolveNode(structuredClone(whole), "a"));
        }
        followed.stop();
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("are told seldom to who takes long to hear it, and the last of them is", async () => {
    const store = new MemoryStore();
    const changes = 40;
    const { heard, until, stop } = follow(store, 20);
    await write(store, marker(0));
    await until(0);
    const before = heard.length;
    for (let count = 1; count <= changes; count++) {
      await write(store, marker(count));
      await setImmediate();
    }
    await until(changes);
    stop();
    expect(heard.length - before).toBeLessThan(changes / 2);
  });
});
