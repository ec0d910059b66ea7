import { describe, expect, it } from "@jest/globals";
import { Community } from "./rib/attribute-columns.ts";
import { Listener, peerConfig, TestRib } from "./rib/testing.ts";
import type { Ending } from "./session/fsm.ts";
import type { Negotiated } from "./session/negotiate.ts";
import { NEGOTIATED } from "./session/testing.ts";
import { Staleness } from "./staleness.ts";
import type { LongLivedFamily } from "./wire/capability.ts";

const A = "10.1.0.0/16";
const B = "10.2.0.0/16";
const C = "10.3.0.0/16";
const RESTART_S = 120;
const LONG_S = 3600;
/** How long a peer that came back may take to say End-of-RIB. */
const BACK_S = 120;

function restarts(forwardingPreserved = true, families: readonly (4 | 6)[] = [4, 6]): Negotiated {
  return {
    ...NEGOTIATED,
    peerRestart: {
      restarted: false,
      notification: false,
      restartTime: RESTART_S,
      families: families.map((family) => ({ family, forwardingPreserved })),
    },
  };
}

function longLived(staleTime = LONG_S, forwardingPreserved = true): Negotiated {
  const peerLongLived: readonly LongLivedFamily[] = [{ family: 4, forwardingPreserved, staleTime }];
  return { ...restarts(), peerLongLived };
}

/** Peer 1 with two routes, and a clock. */
class Stage {
  readonly rib = new TestRib([1, 2, 9]);
  readonly staleness = new Staleness(this.rib, 1);
  readonly #longLivedStaleTime: number | undefined;
  now = 1_000_000;

  constructor(negotiated: Negotiated, longLivedStaleTime?: number) {
    this.#longLivedStaleTime = longLivedStaleTime;
    this.staleness.up(negotiated, this.now);
    this.rib.hear(1, [A, B]);
  }

  down(ending: Ending = "restartable"): number {
    return this.staleness.down(ending, { ...peerConfig(1), longLivedStaleTime: this.#longLivedStaleTime }, this.now);
  }

  up(negotiated: Negotiated): void {
    this.staleness.up(negotiated, this.now);
  }

  /** Seconds pass, with a look at the clock in each; returns how many routes went meanwhile. */
  pass(seconds: number): number {
    let swept = 0;
    for (let s = 0; s < seconds; s++) {
      this.now += 1000;
      if (this.staleness.nextDue() <= this.now) swept += this.staleness.tick(this.now);
    }
    return swept;
  }

  /** Prefixes forwarded, with their gateways where those are not the peer's. */
  get routes(): string[] {
    return Object.entries(this.rib.forwardingText()).map(([prefix, via]) =>
      via === "10.0.0.1" ? prefix : `${prefix} by ${via}`,
    );
  }
}

describe("graceful restart of a peer (RFC 4724 4.2)", () => {
  it("its routes stay while it is away, and what it does not repeat goes at End-of-RIB", () => {
    const stage = new Stage(restarts());
    expect(stage.down()).toBe(2);
    stage.pass(RESTART_S - 1);
    expect(stage.routes).toEqual([A, B]);
    stage.up(restarts());
    stage.rib.hear(1, [B, C]);
    expect(stage.routes).toEqual([A, B, C]);
    expect(stage.staleness.completed(4)).toBe(1);
    expect(stage.routes).toEqual([B, C]);
    expect(stage.staleness.nextDue()).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(stage.staleness.completed(6)).toBe(0);
    expect(stage.staleness.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("one that comes too late has lost them", () => {
    const stage = new Stage(restarts());
    stage.down();
    expect(stage.pass(RESTART_S + 1)).toBe(2);
    expect(stage.routes).toEqual([]);
    expect(stage.staleness.nextDue()).toBe(Number.POSITIVE_INFINITY);
    stage.up(restarts());
    stage.rib.hear(1, [A]);
    expect(stage.staleness.completed(4)).toBe(0);
    expect(stage.routes).toEqual([A]);
  });

  it("one that comes back and never says End-of-RIB leaves no ghosts", () => {
    const stage = new Stage(restarts());
    stage.down();
    stage.pass(10);
    stage.up(restarts());
    stage.rib.hear(1, [A]);
    expect(stage.pass(BACK_S + 1)).toBe(1);
    expect(stage.routes).toEqual([A]);
  });

  it.each<[string, Negotiated]>([
    ["says that its forwarding state is lost", restarts(false)],
    ["does not name the family", restarts(true, [6])],
    ["no longer offers graceful restart", NEGOTIATED],
  ])("one that comes back and %s has lost them at once", (_name, again) => {
    const stage = new Stage(restarts());
    stage.down();
    stage.up(again);
    expect(stage.routes).toEqual([]);
  });

  it.each<[string, Negotiated, Ending]>([
    ["that has not offered it", NEGOTIATED, "restartable"],
    ["that has not offered it for the family", restarts(true, [6]), "restartable"],
    ["that has not offered it, and goes on over another connection", NEGOTIATED, "collision"],
    ["whose session was ended for good", restarts(), "final"],
  ])("a peer %s keeps nothing", (_name, negotiated, ending) => {
    const stage = new Stage(negotiated);
    expect(stage.down(ending)).toBe(0);
    expect(stage.routes).toEqual([]);
  });

  it("whose flags say at first that no forwarding state was kept may still restart later", () => {
    const stage = new Stage(restarts(false));
    expect(stage.down()).toBe(2);
    stage.up(restarts(true));
    expect(stage.routes).toEqual([A, B]);
  });

  it("a session that lost a collision as soon as it was up is no second restart", () => {
    const stage = new Stage(restarts());
    stage.down();
    stage.up(restarts());
    expect(stage.down("collision")).toBe(2);
    stage.up(restarts());
    expect(stage.routes).toEqual([A, B]);
    stage.pass(RESTART_S + 1);
    expect(stage.routes).toEqual([]);
  });

  it("two restarts within one window: what was not refreshed in between goes, the rest has its time", () => {
    const stage = new Stage(restarts());
    stage.down();
    stage.pass(100);
    stage.up(restarts());
    stage.rib.hear(1, [A]);
    stage.pass(50);
    stage.down();
    expect(stage.routes).toEqual([A]);
    stage.pass(RESTART_S - 1);
    expect(stage.routes).toEqual([A]);
    stage.pass(2);
    expect(stage.routes).toEqual([]);
  });

  it("a peer that restarts again and again loses its routes in the end", () => {
    const stage = new Stage(restarts());
    for (let n = 0; n < 10; n++) {
      stage.down();
      stage.pass(50);
      stage.up(restarts());
      stage.pass(10);
    }
    stage.down();
    stage.pass(1);
    expect(stage.routes).toEqual([]);
  });
});

describe("long-lived graceful restart (RFC 9494 4.2)", () => {
  it("when the restart time is over routes stay as a last resort, and go at the end of the long time", () => {
    const stage = new Stage(longLived(), LONG_S);
    stage.down();
    stage.rib.hear(2, [A], { asPath: [{ type: 2, asNumbers: [65002, 65002, 65002] }] });
    expect(stage.routes).toEqual([A, B]);
    stage.pass(RESTART_S + 1);
    expect(stage.routes).toEqual([`${A} by 10.0.0.2`, B]);
    stage.pass(LONG_S - 10);
    expect(stage.routes).toEqual([`${A} by 10.0.0.2`, B]);
    stage.pass(20);
    expect(stage.routes).toEqual([`${A} by 10.0.0.2`]);
  });

  it("the shorter of both sides' times counts", () => {
    for (const [theirs, ours] of [
      [600, LONG_S],
      [LONG_S, 600],
    ] as const) {
      const stage = new Stage(longLived(theirs), ours);
      stage.down();
      stage.pass(RESTART_S + 590);
      expect(stage.routes).toEqual([A, B]);
      stage.pass(20);
      expect(stage.routes).toEqual([]);
    }
  });

  it("NO_LLGR: such a route goes with the restart time (4.3)", () => {
    const stage = new Stage(longLived(), LONG_S);
    stage.rib.hear(1, [B], { communities: [Community.NoLlgr] });
    stage.down();
    expect(stage.routes).toEqual([A, B]);
    stage.pass(RESTART_S + 1);
    expect(stage.routes).toEqual([A]);
  });

  it("a route that was stale for long is told to nobody who does not know what that is (4.3)", () => {
    const stage = new Stage(longLived(), LONG_S);
    const listener = new Listener(stage.rib, 9);
    expect(Object.keys(listener.listen())).toEqual([A, B]);
    stage.down();
    stage.pass(RESTART_S - 1);
    expect(Object.keys(listener.listen())).toEqual([A, B]);
    stage.pass(2);
    expect(listener.listen()).toEqual({});
  });

  it("repeated, a route is an ordinary one again", () => {
    const stage = new Stage(longLived(), LONG_S);
    stage.down();
    stage.pass(RESTART_S + 100);
    stage.rib.hear(2, [A, B], { asPath: [{ type: 2, asNumbers: [65002, 65002, 65002] }] });
    stage.up(longLived());
    stage.rib.hear(1, [A]);
    expect(stage.routes).toEqual([A, `${B} by 10.0.0.2`]);
    expect(stage.staleness.completed(4)).toBe(1);
    stage.rib.sweep(2, 4, "all");
    expect(stage.routes).toEqual([A]);
  });

  it("without a word of the peer, or of ours, the restart time is the end", () => {
    for (const stage of [new Stage(restarts(), LONG_S), new Stage(longLived())]) {
      stage.down();
      stage.pass(RESTART_S + 1);
      expect(stage.routes).toEqual([]);
    }
  });

  it("losing the session again and again does not start the long time anew", () => {
    const stage = new Stage(longLived(), LONG_S);
    stage.down();
    for (let n = 0; n < 2 * LONG_S; n += 200) {
      stage.pass(150);
      stage.up(longLived());
      stage.pass(50);
      stage.down();
    }
    expect(stage.routes).toEqual([]);
  });
});

describe("a refresh between two marks (RFC 7313 4)", () => {
  it("what is not repeated goes at the end", () => {
    const stage = new Stage(NEGOTIATED);
    stage.staleness.refreshBegins(4, stage.now);
    stage.rib.hear(1, [B]);
    expect(stage.routes).toEqual([A, B]);
    expect(stage.staleness.refreshEnds(4)).toBe(1);
    expect(stage.routes).toEqual([B]);
    expect(stage.staleness.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("an end without a beginning is passed over, and End-of-RIB is no end", () => {
    const stage = new Stage(NEGOTIATED);
    expect(stage.staleness.refreshEnds(4)).toBe(0);
    stage.staleness.refreshBegins(4, stage.now);
    expect(stage.staleness.completed(4)).toBe(0);
    expect(stage.routes).toEqual([A, B]);
  });

  it("one that does not come to its end leaves no ghosts", () => {
    const stage = new Stage(NEGOTIATED);
    stage.staleness.refreshBegins(4, stage.now);
    stage.rib.hear(1, [A]);
    stage.pass(BACK_S + 1);
    expect(stage.routes).toEqual([A]);
  });

  it("the other family is left alone", () => {
    const stage = new Stage(NEGOTIATED);
    stage.staleness.refreshBegins(6, stage.now);
    expect(stage.staleness.refreshEnds(6)).toBe(0);
    expect(stage.routes).toEqual([A, B]);
  });

  it("a session that is lost meanwhile has its full restart time", () => {
    const stage = new Stage(restarts());
    stage.staleness.refreshBegins(4, stage.now);
    stage.pass(100);
    stage.down();
    stage.pass(RESTART_S - 1);
    expect(stage.routes).toEqual([A, B]);
    stage.pass(2);
    expect(stage.routes).toEqual([]);
  });
});

describe("a change of the import rules while routes are stale", () => {
  const prepending = { ...peerConfig(1), numAllowedLocalAsNumbers: 1 };

  it("does not make them fresh", () => {
    const rib = new TestRib([1]);
    const staleness = new Staleness(rib, 1);
    staleness.up(restarts(), 0);
    // Refused at first, and let pass by the new rules.
    rib.hear(1, [A], { asPath: [{ type: 2, asNumbers: [65001, 64512] }] });
    staleness.down("restartable", peerConfig(1), 0);
    staleness.up(restarts(), 1000);
    rib.reconfigure(1, prepending);
    expect(Object.keys(rib.forwardingText())).toEqual([A]);
    expect(staleness.completed(4)).toBe(1);
    expect(rib.forwardingText()).toEqual({});
  });

  it("does not make a last resort preferred", () => {
    const stage = new Stage(longLived(), LONG_S);
    stage.rib.hear(2, [A], { asPath: [{ type: 2, asNumbers: [65002, 65002, 65002] }] });
    stage.down();
    stage.pass(RESTART_S + 1);
    stage.up(longLived());
    stage.rib.reconfigure(1, prepending);
    expect(stage.routes).toEqual([`${A} by 10.0.0.2`, B]);
    expect(stage.staleness.completed(4)).toBe(2);
  });
});
