import { describe, expect, it } from "@jest/globals";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { NEGOTIATED } from "../session/testing.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { UpdateWriter } from "../wire/encode-update.ts";
import { messagesIn, nlriTable } from "../wire/testing.ts";
import { playMany } from "./group-testing.ts";
import { Listener, pathOf, TestRib } from "./testing.ts";

const PREFIX = "10.1.0.0/16";
const longer = (n: number, length: number) => ({
  asPath: [{ type: 2, asNumbers: Array.from({ length }, () => 65000 + n) }],
});

function sending(...peers: number[]): TestRib {
  return new TestRib(peers, { ...NEGOTIATED, addPathSend: [4] });
}

/** Identifiers by AS_PATH length. */
function pathsOf(listener: Listener): Map<number, string> {
  const held = Object.entries(listener.listen());
  return new Map(held.map(([key, attributes]) => [Number.parseInt(attributes.slice(16, 18), 16), key]));
}

describe("add-path (RFC 7911)", () => {
  it("whatever comes and goes: everybody holds every path a plain model has, told no more often than it changed", () => {
    playMany(true, 150);
  });

  it("every usable path is told, the best and the others, and none goes back to where it came from", () => {
    const rib = sending(1, 2, 3, 9);
    const listeners = [1, 2, 9].map((n) => new Listener(rib, n));
    rib.hear(1, [PREFIX]);
    rib.hear(2, [PREFIX], longer(2, 3));
    // A loop: not usable.
    rib.hear(3, [PREFIX], { asPath: [{ type: 2, asNumbers: [65003, 64512] }] });
    expect(listeners.map((listener) => [...pathsOf(listener).keys()].sort())).toEqual([[4], [2], [2, 4]]);
  });

  it("a path keeps its identifier while it changes, and is withdrawn by it", () => {
    const rib = sending(1, 2, 9);
    const listener = new Listener(rib, 9);
    rib.hear(1, [PREFIX]);
    rib.hear(2, [PREFIX], longer(2, 3));
    const before = pathsOf(listener);
    expect(new Set(before.values()).size).toBe(2);
    rib.hear(1, [PREFIX], longer(1, 5));
    const after = pathsOf(listener);
    expect([after.get(6), after.get(4)]).toEqual([before.get(2), before.get(4)]);
    rib.unhear(1, [PREFIX]);
    expect([...pathsOf(listener)]).toEqual([[4, before.get(4)]]);
    expect(listener.heard.get(before.get(4) as string)).toBe(1);
  });

  it("what a peer says under two identifiers are two paths, and one is forwarded by", () => {
    const rib = new TestRib([1, 9], { ...NEGOTIATED, addPathSend: [4], addPathReceive: [4] });
    const listener = new Listener(rib, 9);
    const say = (pathId: number, length: number | undefined) => {
      const writer = new UpdateWriter(4096);
      const octets = length === undefined ? undefined : encodeAttributes(pathOf(1, longer(1, length)), 4);
      if (octets === undefined) writer.withdraw(4);
      else writer.announce(4, undefined, octets, 0, octets.length);
      writer.add(nlriTable([prefixOf(PREFIX)]), 0, pathId);
      for (const message of messagesIn(writer.take())) rib.receive(1, message);
    };
    say(7, 1);
    say(8, 2);
    expect([...pathsOf(listener).keys()].sort()).toEqual([2, 3]);
    expect(rib.forwardingText()).toEqual({ [PREFIX]: "10.0.0.1" });
    say(7, undefined);
    expect([...pathsOf(listener).keys()]).toEqual([3]);
    say(9, undefined);
    expect([...pathsOf(listener).keys()]).toEqual([3]);
    say(8, undefined);
    expect(pathsOf(listener).size).toBe(0);
    expect(rib.forwardingText()).toEqual({});
  });

  it("a peer that takes nothing is rid of paths that went meanwhile, whoever's row it was", () => {
    const rib = sending(1, 2, 9);
    const listener = new Listener(rib, 9);
    const work = (now: number) => {
      rib.decideAll();
      listener.group.work(now);
    };
    rib.hear(1, [PREFIX]);
    listener.listen();
    listener.congested = true;
    rib.unhear(1, [PREFIX]);
    work(0);
    work(1000);
    rib.hear(2, ["10.2.0.0/16"]);
    work(1001);
    rib.hear(2, [PREFIX], longer(2, 3));
    work(1002);
    listener.congested = false;
    expect(Object.keys(listener.listen()).map((key) => key.split(" ")[0])).toEqual([PREFIX, "10.2.0.0/16"]);
  });
});
