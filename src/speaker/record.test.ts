import { describe, expect, it } from "@jest/globals";
import type { Fact } from "../../bgp/facts.ts";
import { encodeKeepalive, frame } from "../../bgp/wire/framer.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { Recorder } from "./record.ts";
import { parseLine } from "./record-line.ts";
import { manyPrefixes, peerAt, ribText, Wire } from "./record-testing.ts";
import type { RecordedSpeaker } from "./recorded-speaker.ts";
import { replay } from "./replay.ts";

const ABOUT = { version: "1.2.3", clock: { at: 0, wall: "2026-01-01T00:00:00.000Z" } };

/** r1 between r2 and r3; r2 announces the prefixes, r3 some of them and some of its own. */
function threeRouters(seed: number, count: number, limit?: number): { wire: Wire; middle: RecordedSpeaker } {
  const wire = new Wire(seed);
  const middle = wire.add("10.0.0.1", limit);
  wire.add("10.0.0.2");
  wire.add("10.0.0.3");
  wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(count) });
  wire.tell("10.0.0.3", { kind: "networks", prefixes: manyPrefixes(count, Math.floor(count / 2)) });
  wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(3, 100_000) });
  wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2), peerAt(1, 3, { password: "very secret" })] });
  wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1)] });
  wire.tell("10.0.0.3", { kind: "peers", peers: [peerAt(3, 1, { passive: true })] });
  wire.run(4000);
  return { wire, middle };
}

function linesOf(speaker: RecordedSpeaker): string[] {
  return [...speaker.recorder.lines(ABOUT)];
}

describe("a recording of everything", () => {
  it.each([1, 2, 3, 4, 5])("replays to the very state of the speaker (seed %i)", async (seed) => {
    const { wire, middle } = threeRouters(seed, 200);
    // Routes go, a session is lost and comes again, a peer is reconfigured, the next hops lead elsewhere.
    wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(120, 30) });
    wire.run(500);
    wire.tell("10.0.0.3", { kind: "peers", peers: [peerAt(3, 1, { passive: true, holdTime: 30 })] });
    wire.run(6000);
    wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2), peerAt(1, 3, { password: "another secret" })] });
    wire.run(100 * seed);
    const lines = linesOf(middle);
    expect(parseLine(lines[0] as string)).toMatchObject({ kind: "recording", complete: true, seed: 1 });
    const replayed = await replay(lines);
    expect(replayed.notes).toEqual([]);
    expect(ribText(replayed.speaker)).toEqual(ribText(middle));
    expect(ribText(middle).length).toBeGreaterThan(100);
    expect(replayed.speaker.neighbors.map(({ peer }) => [peer.config.name, peer.state, peer.since])).toEqual(
      middle.neighbors.map(({ peer }) => [peer.config.name, peer.state, peer.since]),
    );
  });

  it("has no password, but says when it was another one", () => {
    const { wire, middle } = threeRouters(7, 5);
    wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2), peerAt(1, 3, { password: "another secret" })] });
    wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2), peerAt(1, 3, { password: "very secret" })] });
    const text = linesOf(middle).join("");
    expect(text).not.toMatch(/secret/);
    const peers = linesOf(middle)
      .map(parseLine)
      .filter(({ kind }) => kind === "peers") as unknown as Extract<Fact, { kind: "peers" }>[];
    expect(peers.map((fact) => fact.peers[1]?.password)).toEqual([
      "not recorded (1)",
      "not recorded (2)",
      "not recorded (1)",
    ]);
  });
});

describe("a recording that has forgotten its beginning", () => {
  it("keeps how each session came up, and says what is missing", async () => {
    const { wire, middle } = threeRouters(11, 20_000, 200_000);
    wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(19_000) });
    wire.run(1000);
    const lines = linesOf(middle);
    expect(lines.join("").length).toBeLessThan(1_000_000);
    const header = parseLine(lines[0] as string);
    expect(header).toMatchObject({ complete: false });
    const missing = lines.map(parseLine).filter(({ kind }) => kind === "missing");
    expect(missing.length).toBeGreaterThan(0);
    const replayed = await replay(lines);
    expect(replayed.notes[0]).toMatch(/the beginning was forgotten/);
    expect(replayed.notes.join("\n")).toMatch(/10\.0\.0\.2: messages forgotten: \d+ \(\d+ octets\)/);
    expect(replayed.speaker.neighbors.map(({ peer }) => [peer.config.name, peer.state])).toEqual([
      ["r2", "Established"],
      ["r3", "Established"],
    ]);
    // What came late is there: none of it was misread for want of the octets in front of it.
    expect(replayed.speaker.neighbors.map(({ peer }) => peer.lastError)).toEqual(["", ""]);
  });

  it("forgets whole messages, wherever the stream was cut", () => {
    const recorder = new Recorder({ seed: 1, restarting: false, limit: 1 });
    recorder.told({ kind: "accepted", connection: 1, address: Uint8Array.of(10, 0, 0, 2) }, 1);
    const open = frame(1, Uint8Array.of(4, 253, 234, 0, 90, 10, 0, 0, 2, 0));
    const update = frame(2, new Uint8Array(1000));
    const stream: number[] = [...open, ...encodeKeepalive()];
    for (let i = 0; i < 600; i++) stream.push(...update);
    for (let at = 0; at < stream.length; at += 777) {
      recorder.told({ kind: "received", connection: 1, octets: Uint8Array.from(stream.slice(at, at + 777)) }, at);
    }
    const lines = [...recorder.lines(ABOUT)].map(parseLine);
    const octetsOf = (line: { octets?: unknown }) => Buffer.from(line.octets as string, "base64");
    const missing = lines.findIndex(({ kind }) => kind === "missing");
    const opening = Buffer.concat(
      lines
        .slice(0, missing)
        .filter(({ kind }) => kind === "received")
        .map(octetsOf),
    );
    expect(opening.equals(Buffer.from([...open, ...encodeKeepalive()]))).toBe(true);
    const rest = Buffer.concat(
      lines
        .slice(missing)
        .filter(({ kind }) => kind === "received")
        .map(octetsOf),
    );
    const { messages, octets } = lines[missing] as unknown as { messages: number; octets: number };
    expect(messages).toBeGreaterThan(0);
    expect(octets).toBe(messages * update.length);
    expect(rest.length).toBe((600 - messages) * update.length);
    expect(rest.subarray(0, update.length).equals(Buffer.from(update))).toBe(true);
  });

  it("keeps the peers, networks and closed doors that were told long ago, and no closed connection", () => {
    const recorder = new Recorder({ seed: 1, restarting: false, limit: 1 });
    const peers = [peerAt(1, 2)];
    recorder.told({ kind: "peers", peers: [] }, 1);
    recorder.told({ kind: "peers", peers }, 2);
    recorder.told({ kind: "networks", prefixes: manyPrefixes(2) }, 3);
    const [first, second] = manyPrefixes(2) as [Prefix, Prefix];
    const announced = [{ ...second, communities: ["65000:1"] }];
    recorder.told({ kind: "networks-changed", announced, withdrawn: [first] }, 3);
    recorder.told({ kind: "disable", peer: "r2", message: "" }, 4);
    recorder.told({ kind: "disable", peer: "r3", message: "" }, 4);
    recorder.told({ kind: "enable", peer: "r3" }, 5);
    recorder.told({ kind: "accepted", connection: 1, address: Uint8Array.of(10, 0, 0, 2) }, 6);
    recorder.told({ kind: "closed", connection: 1, reason: "gone" }, 7);
    for (let i = 0; i < 20_000; i++) recorder.asked(100);
    const lines = [...recorder.lines(ABOUT)].map(parseLine);
    const kinds = lines.map(({ kind }) => kind).filter((kind) => kind !== "work");
    expect(kinds).toEqual(["recording", "networks", "peers", "disable"]);
    expect(lines.find(({ kind }) => kind === "networks")).toMatchObject({ prefixes: announced });
    expect(lines.find(({ kind }) => kind === "disable")).toMatchObject({ t: 100, peer: "r2" });
    expect(lines.find(({ kind }) => kind === "peers")?.["peers"]).toEqual(JSON.parse(JSON.stringify(peers), revived));
  });
});

/** Octets as the recording gives them back, of octets as JSON.stringify writes them. */
function revived(_key: string, value: unknown): unknown {
  const isOctets = typeof value === "object" && value !== null && "0" in value && !Array.isArray(value);
  return isOctets ? Uint8Array.from(Object.values(value) as number[]) : value;
}

describe("what is no recording", () => {
  it.each([
    [[], "the recording is empty"],
    [["hello"], "line 1: "],
    [['{"kind":"peers"}'], "line 1: not a recording"],
    [['{"kind":"recording","format":99,"version":"9.9","seed":1}'], "line 1: recording format 99 of overland 9.9"],
    [['{"kind":"recording","format":1,"seed":1}', '{"kind":"work"}'], "line 2: `t`, the time, is missing"],
  ])("is refused by a sentence: %j", async (lines, message) => {
    await expect(replay(lines)).rejects.toThrow(message);
  });
});
