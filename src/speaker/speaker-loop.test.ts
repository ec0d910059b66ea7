import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Fact, Work } from "../../bgp/facts.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { PEER_CONFIG } from "../../bgp/session/testing.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { until } from "../kernel/testing.ts";
import { SpeakerLoop } from "./speaker-loop.ts";

/** Stands for the speaker: keeps what it is told, turn by turn, and does what the test wants. */
class Listener {
  readonly turns: Fact[][] = [[]];
  readonly queue: Work[] = [];
  /** Milliseconds each fact takes. */
  slowness = 0;
  octets = 0;

  tell(fact: Fact): void {
    (this.turns.at(-1) as Fact[]).push(fact);
    if (fact.kind !== "received") return;
    this.octets += fact.octets.length;
    const end = performance.now() + this.slowness;
    while (performance.now() < end);
  }

  work(): Work[] {
    this.turns.push([]);
    return this.queue.splice(0);
  }

  nextDue(): number {
    return Number.POSITIVE_INFINITY;
  }

  get facts(): Fact[] {
    return this.turns.flat();
  }

  kinds(): string[] {
    return this.facts.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1]);
  }

  heard(connection: number): Buffer {
    return Buffer.concat(octetsOf(this.facts, connection));
  }
}

function octetsOf(facts: readonly Fact[], connection?: number): Uint8Array[] {
  return facts.flatMap((fact) =>
    fact.kind === "received" && (connection ?? fact.connection) === fact.connection ? [fact.octets] : [],
  );
}

function lengthOf(octets: readonly Uint8Array[]): number {
  return octets.reduce((sum, { length }) => sum + length, 0);
}

let speaker: Listener;
let loop: SpeakerLoop;
let server: Server;
let accepted: Socket[];
let clients: Socket[];
let refused: string[];

beforeEach(async () => {
  [speaker, accepted, clients, refused] = [new Listener(), [], [], []];
  loop = new SpeakerLoop({
    speaker,
    now: () => performance.now(),
    forward: () => false,
    event: () => undefined,
    refused: (peer, reason) => refused.push(`${peer}: ${reason}`),
    interfaceIndex: () => undefined,
  });
  server = createServer((socket) => {
    accepted.push(socket);
    loop.accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await loop.stop();
  server.close();
});

function port(): number {
  return (server.address() as { port: number }).port;
}

async function client(): Promise<Socket> {
  const socket = connect(port(), "127.0.0.1");
  socket.on("error", () => undefined);
  clients.push(socket);
  const before = accepted.length;
  await until("the connection is accepted", () => accepted.length > before);
  return socket;
}

function work(...more: Work[]): void {
  speaker.queue.push(...more);
  // Any fact makes a turn.
  loop.tell({ kind: "networks", prefixes: [] });
}

/** Octets that are not the same when some are lost or change places. */
function pattern(length: number, seed: number): Buffer {
  const octets = Buffer.alloc(length);
  for (let i = 0; i < length; i++) octets[i] = (i * 7 + (i >> 11) + seed) % 251;
  return octets;
}

describe("the speaker's loop", () => {
  it("says who called, and where the call came in", async () => {
    await client();
    const [fact] = speaker.facts;
    expect(fact).toMatchObject({ kind: "accepted", connection: 1 });
    if (fact?.kind !== "accepted") throw new Error("unreachable");
    expect([fact.address, fact.local?.address].map((one) => one && formatAddress(one))).toEqual([
      "127.0.0.1",
      "127.0.0.1",
    ]);
  });

  it("gives every connection its share, and hands over no more than a turn holds", async () => {
    const [a, b] = [await client(), await client()];
    speaker.slowness = 0.2;
    for (const [i, one] of [a, b].entries()) one.write(pattern(3_000_000, i));
    await until("everything is heard", () => speaker.octets === 6_000_000, 10_000);
    expect(speaker.heard(1).equals(pattern(3_000_000, 0))).toBe(true);
    expect(speaker.heard(3).equals(pattern(3_000_000, 1))).toBe(true);
    for (const turn of speaker.turns) expect(lengthOf(octetsOf(turn))).toBeLessThan(512 * 1024 + 64 * 1024);
    // While both have something to say, neither is heard twice before the other.
    const order = speaker.facts.flatMap((fact) => (fact.kind === "received" ? [fact.connection] : []));
    const both = order.slice(order.indexOf(3), Math.min(order.lastIndexOf(1), order.lastIndexOf(3)));
    expect(both.filter((one) => one === 1).length).toBeGreaterThan(both.length / 4);
    expect(both.filter((one) => one === 3).length).toBeGreaterThan(both.length / 4);
  });

  it("stops reading while too much waits, and loses nothing", async () => {
    const sender = await client();
    speaker.slowness = 15;
    const sent = pattern(4_000_000, 5);
    sender.write(sent);
    let most = 0;
    await until(
      "everything is heard",
      () => {
        most = Math.max(most, (accepted[0] as Socket).bytesRead - speaker.octets);
        return speaker.octets === sent.length;
      },
      10_000,
    );
    expect(speaker.heard(1).equals(sent)).toBe(true);
    // The inbox, what the socket itself buffers, and one read.
    expect(most).toBeLessThan((256 + 3 * 64) * 1024);
  });

  it("hears everything before it hears of the end", async () => {
    const sender = await client();
    speaker.slowness = 5;
    sender.end(pattern(1_000_000, 2));
    await until("the end", () => speaker.kinds().includes("closed"), 10_000);
    expect(speaker.kinds()).toEqual(["accepted", "received", "closed"]);
    expect(speaker.octets).toBe(1_000_000);
  });

  it("says when a peer takes no more, and when it does again", async () => {
    const slow = await client();
    slow.pause();
    const message = Buffer.alloc(200_000, 7);
    let sent = 0;
    for (; sent < 200 && !speaker.kinds().includes("congested"); sent++) {
      work({ kind: "send", connection: 1, octets: message });
      await sleep(1);
    }
    expect(speaker.kinds()).toContain("congested");
    expect(speaker.kinds()).not.toContain("drained");
    let got = 0;
    slow.on("data", ({ length }) => (got += length)).resume();
    await until("it is drained", () => speaker.kinds().includes("drained"));
    await until("all is there", () => got === sent * message.length);
    expect(speaker.facts.filter(({ kind }) => kind === "congested")).toHaveLength(1);
  });

  it("says the same of a few octets that do not go out for long", async () => {
    const slow = await client();
    slow.pause();
    const message = Buffer.alloc(16_384, 7);
    while ((accepted[0] as Socket).writableLength === 0) {
      work({ kind: "send", connection: 1, octets: message });
      await sleep(0);
    }
    expect(speaker.kinds()).not.toContain("congested");
    await until("it is congested", () => speaker.kinds().includes("congested"), 4000);
    slow.resume();
    await until("it is drained", () => speaker.kinds().includes("drained"), 4000);
  });

  it("sends the last words before it closes, whatever lies unread", async () => {
    const peer = await client();
    let got = "";
    peer.on("data", (octets) => (got += octets.toString()));
    peer.write("something that nobody will read");
    work(
      { kind: "send", connection: 1, octets: Buffer.from("good") },
      { kind: "send", connection: 1, octets: Buffer.from("bye") },
      {
        kind: "close",
        connection: 1,
      },
    );
    await until("the peer sees the end", () => peer.readableEnded);
    expect(got).toBe("goodbye");
    expect(speaker.kinds()).not.toContain("closed");
  });

  it("asks for work when it is woken, though there is no fact and no timer", async () => {
    const turns = speaker.turns.length;
    loop.wake();
    await until("it has asked", () => speaker.turns.length > turns);
    expect(speaker.facts).toEqual([]);
  });

  it("dials, and says where from, or why not", async () => {
    const peer: PeerConfig = { ...PEER_CONFIG, address: addressOf("127.0.0.1"), port: port() };
    work({ kind: "dial", connection: 2, peer }, { kind: "dial", connection: 4, peer: { ...peer, port: 1 } });
    await until(
      "both have an outcome",
      () =>
        speaker.facts.some(({ kind }) => kind === "connected") && speaker.facts.some(({ kind }) => kind === "closed"),
    );
    expect(speaker.facts.find(({ kind }) => kind === "connected")).toMatchObject({
      connection: 2,
      local: { address: addressOf("127.0.0.1") },
    });
    expect(speaker.facts.find(({ kind }) => kind === "closed")).toEqual({
      kind: "closed",
      connection: 4,
      reason: "connection refused: nothing listens on the BGP port there",
    });
  });

  it("has no unprotected session: who cannot be given the password is turned away", async () => {
    const peer = { ...PEER_CONFIG, address: addressOf("127.0.0.1"), password: "x".repeat(81) };
    loop.tell({ kind: "peers", peers: [peer] });
    const caller = await client();
    await until("it is closed", () => caller.closed || caller.readableEnded);
    expect(refused).toEqual([`${peer.name}: a TCP MD5 password has at most 80 octets`]);
    work({ kind: "dial", connection: 2, peer: { ...peer, port: port() } });
    await until("the dial failed", () => speaker.kinds().includes("closed"));
    expect(speaker.facts.find(({ kind }) => kind === "closed")).toMatchObject({
      reason: expect.stringContaining("at most 80 octets"),
    });
    expect(speaker.kinds()).not.toContain("accepted");
  });
});
