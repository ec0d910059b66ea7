/** The judge of all figures: what it calls right, and that it calls nothing else right. */
import { describe, expect, it } from "@jest/globals";
import { DEVICE, peersOf } from "./addresses.ts";
import { Recording } from "./recording.ts";
import { Routes } from "./routes.ts";
import { SCENARIOS, type Scenario, scaled } from "./scenarios.ts";
import { encodeStream } from "./stream.ts";
import { View } from "./view.ts";

const SEED = 7;
const RECEIVER = 99;

function scene(letter: string, share: number, prepended?: number) {
  const scenario = scaled(SCENARIOS.find((each) => each.letter === letter) as Scenario, share);
  const routes = new Routes(scenario, SEED);
  const internal = scenario.reflector;
  const streams = peersOf(scenario)
    .slice(0, scenario.senders)
    .map((sender, i) => encodeStream(routes, i, { sender, internal, seed: SEED }));
  const view = new View({ routes, receivers: [{ session: RECEIVER, sender: undefined }], prepended, internal });
  view.want(routes.shortest(0));
  return { routes, streams, view };
}

/** In pieces, as TCP would. */
function read(view: View, octets: Uint8Array): void {
  for (let at = 0; at < octets.length; at += 1000) view.read(RECEIVER, octets.subarray(at, at + 1000), at);
}

describe("the receivers' view", () => {
  it.each(["a", "e", "F"])("is right when all that is sent arrives (%s), and empty after the withdrawal", (letter) => {
    const { routes, streams, view } = scene(letter, 0.01);
    expect(view.wrong).toBe(routes.count);
    for (const { announce } of streams) read(view, announce);
    expect(view.wrong).toBe(0);
    view.want(undefined);
    expect(view.wrong).toBe(routes.count);
    for (const { withdraw } of streams) read(view, withdraw);
    expect(view.wrong).toBe(0);
    expect(view.counts).toMatchObject({ announced: routes.count, withdrawn: routes.count, unknown: 0 });
  });

  it("is not right with longer paths than the shortest on offer", () => {
    const { routes, streams, view } = scene("g", 0.01);
    read(view, streams[0]?.announce as Buffer);
    expect(view.wrong).toBe(0);
    read(view, streams[1]?.announce as Buffer);
    expect(view.wrong).toBe(routes.count);
  });

  it("is right after the best has died only with the best of the rest", () => {
    const { routes, streams, view } = scene("g", 0.01);
    view.want(routes.shortest(1));
    read(view, streams[0]?.announce as Buffer);
    expect(view.wrong).toBe(routes.count);
    read(view, streams[1]?.announce as Buffer);
    const left = view.wrong;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(routes.count);
  });

  it("misses the device's own hop where there must be one", () => {
    const { routes, streams, view } = scene("a", 0.01, DEVICE.asNumber);
    read(view, streams[0]?.announce as Buffer);
    expect(view.wrong).toBe(routes.count);
  });

  it("asks no sender for its own prefixes", () => {
    const scenario = SCENARIOS.find(({ letter }) => letter === "F") as Scenario;
    const routes = new Routes(scenario, SEED);
    const view = new View({ routes, receivers: [{ session: 3, sender: 3 }], prepended: undefined, internal: true });
    view.want(routes.shortest(0));
    expect(view.wrong).toBe(routes.count - scenario.prefixes);
  });
});

describe("routes", () => {
  it("are the same for the same seed, all different, about five to an attribute set", () => {
    const scenario = scaled(SCENARIOS[0] as Scenario, 0.2);
    const [routes, again, others] = [new Routes(scenario, 1), new Routes(scenario, 1), new Routes(scenario, 2)];
    expect(again.addresses).toEqual(routes.addresses);
    expect(others.addresses).not.toEqual(routes.addresses);
    const all = new Set(Array.from(routes.addresses, (address, i) => address * 64 + (routes.lengths[i] as number)));
    expect(all.size).toBe(routes.count);
    const mean = routes.count / (routes.setStart.length - 1);
    expect(mean).toBeGreaterThan(4);
    expect(mean).toBeLessThan(6.5);
  });
});

describe("a recording", () => {
  it("gives back what arrived, in order, also when its memory is used again", () => {
    const recording = new Recording();
    for (let turn = 0; turn < 3; turn++) {
      for (let i = 0; i < 40; i++) recording.add(i, new Uint8Array(300_000).fill(i), 100, 300_000);
      expect(recording.waiting).toBe(40 * 299_900);
      for (let i = 0; i < 40; i++) {
        const chunk = recording.next();
        expect([chunk?.session, chunk?.bytes.length, chunk?.bytes[0]]).toEqual([i, 299_900, i]);
      }
      expect(recording.next()).toBeUndefined();
    }
  });
});
