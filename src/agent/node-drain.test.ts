/** Who wants a node drained, and what its peers and routes are told. What a peer hears: e2e/node-drain.test.ts. */
import { afterEach, describe, expect, it } from "@jest/globals";
import type { Fact } from "../../bgp/facts.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { openLog } from "../telemetry/log.ts";
import { NodeDrain } from "./node-drain.ts";
import { type NodeObject, readNode } from "./node-object.ts";

const drains: NodeDrain[] = [];
afterEach(async () => {
  await Promise.all(drains.splice(0).map((drain) => drain.stop()));
});

function drainWith(pods: string[] = []) {
  const facts: string[] = [];
  const time = { now: 0 };
  const peers = ["tor1", "tor2"].map((name) => ({ peer: { config: { name }, disabled: false } }));
  const tell = (fact: Fact) => {
    if (fact.kind === "disable" || fact.kind === "enable") {
      for (const { peer } of peers) if (peer.config.name === fact.peer) peer.disabled = fact.kind === "disable";
      facts.push(`${fact.kind} ${fact.peer}${fact.kind === "disable" ? ` "${fact.message}"` : ""}`);
    } else facts.push(fact.kind);
  };
  const drain = new NodeDrain({
    log: openLog({ stream: process.stderr, level: "error" }),
    neighbors: () => peers as never,
    tell,
    pods: () => pods,
    changed: () => undefined,
    now: () => time.now,
  });
  drains.push(drain);
  const after = (ms: number) => {
    time.now += ms;
    drain.tick();
    return drain.status(0).phase;
  };
  return { drain, facts, peers, after };
}

const node = (more: Partial<NodeObject> = {}, annotations: Record<string, string> = {}) =>
  readNode({ metadata: { name: "n1", uid: "u", annotations }, ...more });
const down = { status: { conditions: [{ type: "Ready", status: "False", message: "node is shutting down" }] } };
const cordoned = { spec: { unschedulable: true } };

describe("who drains a node", () => {
  it.each([
    ["an annotation", node({}, { "overland.dev/drain": "disk is changed" }), "annotation", "disk is changed"],
    ["a cordon, where asked for", node(cordoned, { "overland.dev/withdraw-on-cordon": "true" }), "cordon", /cordoned/],
    ["kubelet's shutdown", node(down), "shutdown", "node shuts down"],
    [
      "the out-of-service taint",
      node({ spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] } }),
      "out-of-service",
      /out of service/,
    ],
  ])("%s, until it ends", (_, view, by, message) => {
    const { drain } = drainWith(["default/web"]);
    drain.start();
    expect(drain.status(0).phase).toBe("serving");
    drain.setNode(view);
    expect(drain.status(0)).toMatchObject({ phase: "announcing", by, message: expect.stringMatching(message) });
    expect(drain.leaving).toMatch(message);
    expect(drain.undrain()).toMatch(/./);
    drain.setNode(node());
    expect([drain.status(0).phase, drain.leaving]).toEqual(["serving", undefined]);
  });

  it("no cordon without the annotation; with services only no pod is cut off", () => {
    const { drain, after } = drainWith();
    drain.start();
    drain.setNode(node(cordoned));
    expect(after(60_000)).toBe("serving");
    drain.setNode(node(cordoned, { "overland.dev/withdraw-on-cordon": "services" }));
    expect(after(60_000)).toBe("waiting");
    expect(after(60_000)).toBe("waiting");
    expect([drain.servicesWithdrawn, drain.leaving]).toEqual([true, undefined]);
  });
});

describe("what follows", () => {
  it("for peers: a last resort, then a goodbye in words; an operator's own shutdown stays", () => {
    const { drain, facts, peers, after } = drainWith();
    (peers[1] as (typeof peers)[0]).peer.disabled = true;
    drain.start();
    drain.drain({ message: "new RAM", preferOthersMs: 1_000, podsMs: 0 });
    expect(drain.peers([{ gracefulShutdown: false } as never])).toEqual([{ gracefulShutdown: true }]);
    const origination = { networks: [prefixOf("10.244.0.0/26")], blackholes: [prefixOf("10.244.0.0/26")] };
    expect(drain.announced(origination)).toEqual(origination);
    expect(after(1_000)).toBe("withdrawn");
    expect(drain.announced(origination)).toEqual({ ...origination, networks: [] });
    expect(facts).toEqual([]);
    expect(after(5_000)).toBe("down");
    expect(facts).toEqual(['disable tor1 "new RAM"']);
    (peers[0] as (typeof peers)[0]).peer.disabled = false;
    drain.holdDown();
    expect(facts).toHaveLength(2);
    expect(drain.undrain()).toBeUndefined();
    expect(facts.slice(2)).toEqual(["enable tor1"]);
    expect(peers.map(({ peer }) => peer.disabled)).toEqual([false, true]);
  });

  it("for pods that peer with their node: told to prefer others as well, and let go with the node's own routes", () => {
    const { drain, after } = drainWith();
    const names = () =>
      drain.peers([{ name: "tor1" }, { name: "pod", attached: true }] as never).map(({ name }) => name);
    drain.start();
    drain.drain({ message: "new RAM", preferOthersMs: 1_000, podsMs: 0 });
    expect(names()).toEqual(["tor1", "pod"]);
    expect(after(1_000)).toBe("withdrawn");
    expect(names()).toEqual(["tor1"]);
    drain.undrain();
    expect(names()).toEqual(["tor1", "pod"]);
  });

  it("at a start: a node that was drained comes back only to go where pods still run", () => {
    const view = node(cordoned, { "overland.dev/withdraw-on-cordon": "true" });
    for (const [pods, phase] of [
      [[], "down"],
      [["default/web"], "announcing"],
    ] as const) {
      const { drain } = drainWith([...pods]);
      drain.setNode(view);
      expect(drain.status(0).phase).toBe("serving");
      drain.start();
      expect(drain.status(0).phase).toBe(phase);
    }
  });

  it("at a stop: a restart says nothing, a machine that goes down says goodbye", async () => {
    const restart = drainWith();
    restart.drain.start();
    restart.drain.drain({ message: "x", preferOthersMs: 1_000, podsMs: 0 });
    await restart.drain.stop();
    expect(restart.facts).toEqual([]);
    const { drain, facts } = drainWith(["default/web"]);
    drain.start();
    drain.setNode(node(down));
    await drain.stop();
    expect(drain.status(0).phase).toBe("withdrawn");
    expect(facts).toEqual(["shutdown"]);
  });
});
