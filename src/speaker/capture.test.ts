import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { NO_SESSION } from "../../bgp/inspect/message.ts";
import { encodeKeepalive } from "../../bgp/wire/framer.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { type CapturedMessage, Captures } from "./capture.ts";
import { type Packet, PcapWriter, pcapHeader } from "./capture-pcap.ts";
import { CaptureStream } from "./capture-stream.ts";
import { manyPrefixes, peerAt, Wire } from "./record-testing.ts";

function twoRouters() {
  const wire = new Wire(3);
  const one = wire.add("10.0.0.1");
  wire.add("10.0.0.2");
  const start = () => {
    wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(2) });
    wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(500, 1000) });
    wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1, { passive: true })] });
    wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2)] });
  };
  return { wire, one, start };
}

function portsOf(one: ReturnType<typeof twoRouters>["one"]) {
  return { captures: one.captures, wall: (time: number) => 1_700_000_000_000 + time, ends: () => undefined };
}

async function linesOf(stream: CaptureStream): Promise<string[]> {
  let text = "";
  for await (const part of stream) text += String(part);
  return text.trimEnd().split("\n");
}

describe("a capture", () => {
  it("shows a session from its first message on, both ways", async () => {
    const { wire, one, start } = twoRouters();
    wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2, { passive: true })] });
    const neighbor = one.neighbors[0];
    if (neighbor === undefined) throw new Error("no neighbour");
    const stream = new CaptureStream({ neighbor, format: "text", count: 8 }, portsOf(one));
    start();
    wire.run(3000);
    const lines = await linesOf(stream);
    const what = lines.map((line) => line.split(" ").slice(1, 4).join(" "));
    expect(what.slice(0, 4)).toEqual(
      expect.arrayContaining(["r2 sent OPEN", "r2 received OPEN", "r2 sent KEEPALIVE", "r2 received KEEPALIVE"]),
    );
    expect(lines.join("\n")).toMatch(/Z r2 received UPDATE \d+: announce 20\.3\.232\.0\/24 /);
    expect(lines).toHaveLength(8);
    // Nobody watches any more.
    expect(one.captures.any).toBe(false);
  });

  it("may begin in the middle of a message", () => {
    const captures = new Captures();
    const seen: CapturedMessage[] = [];
    const peer = { config: peerAt(1, 2), session: { connection: 4, negotiated: NO_SESSION } };
    const watched = { neighbors: [{ peer }] as never };
    const stop = captures.start({ peer } as never, (message) => seen.push(message));
    const stream = Uint8Array.from([...encodeKeepalive().slice(7), ...encodeKeepalive(), ...encodeKeepalive()]);
    for (let at = 0; at < stream.length; at += 5) {
      captures.told({ kind: "received", connection: 4, octets: stream.subarray(at, at + 5) }, watched, at);
    }
    expect(seen.map(({ octets }) => octets.length)).toEqual([19, 19]);
    stop();
    expect(captures.any).toBe(false);
  });

  it("as JSON is an object a line, and ends when its time is over", async () => {
    const { wire, one, start } = twoRouters();
    start();
    wire.run(3000);
    const neighbor = one.neighbors[0];
    if (neighbor === undefined) throw new Error("no neighbour");
    const stream = new CaptureStream({ neighbor, format: "json", duration: 50 }, portsOf(one));
    wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(1) });
    wire.run(200);
    const views = (await linesOf(stream)).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(views[0]).toMatchObject({ peer: "r2", direction: "sent", type: "UPDATE", withdrawn: ["20.0.1.0/24"] });
  });

  it("that is not read drops messages and says how many", async () => {
    const { wire, one, start } = twoRouters();
    start();
    wire.run(3000);
    const neighbor = one.neighbors[0];
    if (neighbor === undefined) throw new Error("no neighbour");
    const stream = new CaptureStream({ neighbor, format: "text", duration: 100 }, portsOf(one));
    const long = "x".repeat(100);
    expect(long).toHaveLength(100);
    // Many messages between two looks of a reader.
    const update = encodeKeepalive();
    for (let i = 0; i < 200_000; i++) {
      one.captures.told(
        { kind: "received", connection: neighbor.peer.session?.connection ?? 0, octets: update },
        one,
        i,
      );
    }
    const lines = await linesOf(stream);
    expect(lines.at(-1)).toMatch(/^\d+ messages left out: read too slowly$/);
  });
});

describe("a pcap file", () => {
  const update = Uint8Array.from([
    ...new Array<number>(16).fill(255),
    ...[0, 23 + 20 + 4, 2, 0, 0, 0, 20],
    ...[0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 192, 0, 2, 1],
    ...[24, 203, 0, 113],
  ]);

  function tcpdump(packets: readonly Partial<Packet>[], ...options: string[]): string {
    const folder = mkdtempSync(join(tmpdir(), "overland-pcap-"));
    try {
      const writer = new PcapWriter();
      const v4 = { address: addressOf("192.0.2.1"), port: 40_000 };
      const whole = packets.map((packet) => ({
        wallTime: 1_700_000_000_123.456,
        connection: 2,
        source: v4,
        destination: { address: addressOf("192.0.2.2"), port: 179 },
        direction: "sent" as const,
        octets: update,
        ...packet,
      }));
      const records = whole.flatMap((packet) => writer.records(packet));
      writeFileSync(join(folder, "a.pcap"), Buffer.concat([pcapHeader(), ...records]));
      return execFileSync("tcpdump", ["-r", join(folder, "a.pcap"), "-n", "-vv", "-S", ...options], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it("is read by tcpdump as BGP, with sums and sequence numbers that are right", () => {
    const back = {
      direction: "received" as const,
      source: { address: addressOf("192.0.2.2"), port: 179 },
      destination: { address: addressOf("192.0.2.1"), port: 40_000 },
      octets: encodeKeepalive(),
    };
    const text = tcpdump([{}, back, {}]);
    expect(text).not.toMatch(/bad|incorrect|wrong/i);
    expect(text.match(/cksum 0x[0-9a-f]{4} \(correct\)/g)).toHaveLength(3);
    expect(text).toMatch(/192\.0\.2\.1\.40000 > 192\.0\.2\.2\.179: .*seq 1:48, ack 1,/);
    expect(text).toMatch(/192\.0\.2\.2\.179 > 192\.0\.2\.1\.40000: .*seq 1:20, ack 48,/);
    expect(text).toMatch(/seq 48:95, ack 20,/);
    expect(text).toMatch(/Update Message \(2\), length: 47/);
    expect(text).toMatch(/203\.0\.113\.0\/24/);
    expect(text).toMatch(/Keepalive Message \(4\), length: 19/);
  });

  it("has IPv6 headers, real times, and messages longer than a packet in several", () => {
    const ends = {
      source: { address: addressOf("2001:db8::1"), port: 179 },
      destination: { address: addressOf("2001:db8::2"), port: 50_000 },
    };
    const long = new Uint8Array(65_535).fill(1);
    const text = tcpdump([ends, { ...ends, octets: long }], "-tttt");
    expect(text).toMatch(/IP6 .* 2001:db8::1\.179 > 2001:db8::2\.50000: .*\(correct\)/);
    expect(text).toMatch(/2023-11-14 \d\d:\d\d:20\.123456/);
    expect(text).toMatch(/seq 48:32816, /);
    expect(text).toMatch(/seq 32816:65583, /);
  });
});
