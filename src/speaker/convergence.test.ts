import { describe, expect, it } from "@jest/globals";
import type { Neighbor } from "../../bgp/neighbor.ts";
import { PEER_CONFIG } from "../../bgp/session/testing.ts";
import { Convergence } from "./convergence.ts";

/** As much of a neighbour as convergence looks at. */
function neighbor(name: string, since: number, up: boolean, endOfRib: readonly number[]): Neighbor {
  const session = up ? { connection: 2, negotiated: { families: [4, 6] } } : undefined;
  const peer = { config: { ...PEER_CONFIG, name }, session, since, lastError: up ? "" : "connection refused" };
  return { peer, endOfRib: new Set(endOfRib) } as unknown as Neighbor;
}

describe("convergence after a start", () => {
  it("waits for every peer that answers to say End-of-RIB in every family", () => {
    const convergence = new Convergence(0);
    const waiting = (endOfRib: number[]) => convergence.waitingFor([neighbor("tor1", 100, true, endOfRib)], 500);
    expect(waiting([])).toEqual(["tor1 to finish its initial routes"]);
    expect(waiting([4])).toEqual(["tor1 to finish its initial routes"]);
    expect(waiting([4, 6])).toEqual([]);
  });

  it("waits a short time for a peer that is down, says why, and not for ever", () => {
    const convergence = new Convergence(0);
    const waiting = (now: number) => convergence.waitingFor([neighbor("tor1", 0, false, [])], now);
    expect(waiting(14_999)).toEqual(["the session with tor1 to come up (connection refused)"]);
    expect(waiting(15_000)).toEqual([]);
  });

  it("a peer that never says End-of-RIB has its own deadline, from when it came up", () => {
    const convergence = new Convergence(0);
    const waiting = (now: number) => convergence.waitingFor([neighbor("tor1", 10_000, true, [])], now);
    expect(waiting(39_999)).toHaveLength(1);
    expect(waiting(40_000)).toEqual([]);
  });

  it("once it is complete it stays so, whatever goes down later", () => {
    const convergence = new Convergence(0);
    expect(convergence.waitingFor([], 0)).toEqual([]);
    expect(convergence.waitingFor([neighbor("tor1", 0, false, [])], 1)).toEqual([]);
  });
});
