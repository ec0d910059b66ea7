/** Recordings of lives in which everything happens: sessions come and go, peers, routes and settings change. */
import { describe, expect, it } from "@jest/globals";
import { seededRandom } from "../../bgp/simulate/random.ts";
import type { Speaker } from "../../bgp/speaker.ts";
import { manyPrefixes, peerAt, ribText, Wire } from "./record-testing.ts";
import type { RecordedSpeaker } from "./recorded-speaker.ts";
import { replay } from "./replay.ts";

const ROUTERS = 6;
const EVENTS = 12;
const ABOUT = { version: "1", clock: { at: 0, wall: "2026-01-01T00:00:00Z" } };

/** A speaker with five peers, after a life of some forty seconds. */
function live(seed: number, limit: number): RecordedSpeaker {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const wire = new Wire(seed);
  const speaker = wire.add("10.0.0.1", limit);
  const others = Array.from({ length: ROUTERS - 1 }, (_, i) => i + 2);
  const peers = (password: string) =>
    others.map((n) => peerAt(1, n, { passive: n % 2 === 0, password: n === 3 ? password : undefined }));
  const announce = (n: number) => {
    const prefixes = manyPrefixes(500 + below(3000), below(4000));
    wire.tell(`10.0.0.${n}`, { kind: "networks", prefixes });
  };
  wire.tell("10.0.0.1", { kind: "peers", peers: peers("first") });
  for (const n of others) {
    wire.add(`10.0.0.${n}`);
    wire.tell(`10.0.0.${n}`, { kind: "peers", peers: [peerAt(n, 1, { passive: n % 2 === 1 })] });
    announce(n);
  }
  const happenings: ((n: number) => void)[] = [
    announce,
    (n) => wire.tell("10.0.0.1", { kind: "reset", peer: `r${n}`, soft: below(2) === 0, message: "again" }),
    (n) => wire.tell(`10.0.0.${n}`, { kind: "reset", peer: "r1", soft: false, message: "" }),
    (n) => wire.tell("10.0.0.1", { kind: "disable", peer: `r${n}`, message: "" }),
    (n) => wire.tell("10.0.0.1", { kind: "enable", peer: `r${n}` }),
    () => wire.tell("10.0.0.1", { kind: "peers", peers: peers(String(below(9))) }),
    () => wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(below(20), 90_000) }),
    () => {
      const compareMed = below(2) === 0 ? "always" : "same-as";
      wire.tell("10.0.0.1", {
        kind: "settings",
        settings: { compareMed, missingMed: "best", multipath: 1 + below(3) },
      });
    },
  ];
  for (let i = 0; i < EVENTS; i++) {
    wire.run(500 + below(4000));
    happenings[below(happenings.length)]?.(2 + below(ROUTERS - 1));
  }
  wire.run(below(3000));
  return speaker;
}

function statesOf(speaker: Speaker): string[] {
  return speaker.neighbors.map(({ peer }) => `${peer.config.name} ${peer.state}`).sort();
}

describe("a life, recorded", () => {
  it.each([1, 2, 3])("whole, is lived again to the same end (seed %i)", async (seed) => {
    const speaker = live(seed, 64 * 1024 * 1024);
    const again = await replay(speaker.recorder.lines(ABOUT));
    expect(again.notes).toEqual([]);
    expect(ribText(again.speaker)).toEqual(ribText(speaker));
    expect(statesOf(again.speaker)).toEqual(statesOf(speaker));
  });

  it.each([7, 10])("in part, has the sessions there were (seed %i)", async (seed) => {
    const speaker = live(seed, 1);
    const again = await replay(speaker.recorder.lines(ABOUT));
    expect(again.notes[0]).toMatch(/^the beginning was forgotten/);
    expect(statesOf(again.speaker)).toEqual(statesOf(speaker));
    // No route that was not there: a prefix may lack paths, none has one too many.
    const known = new Set(ribText(speaker).map(pathOf));
    const extra = ribText(again.speaker)
      .map(pathOf)
      .filter((path) => !known.has(path));
    expect(extra).toEqual([]);
  });
});

/** Who announces it and how; whether it is best depends on the paths that are missing. */
function pathOf(text: string): string {
  const { prefix, peer, attributes } = JSON.parse(text) as { prefix: string; peer?: string; attributes: object };
  return JSON.stringify([prefix, peer, attributes]);
}
