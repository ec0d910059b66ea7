import { describe, expect, it } from "@jest/globals";
import { readPing } from "./ping.ts";
import { judgeMemory, judgePings, judgeRequests, judgeStreams, judgeWire } from "./verdict.ts";
import { clientOf } from "./web.ts";

const reply = (sequence: number) => `64 bytes from 10.244.0.1: icmp_seq=${sequence} ttl=62 time=0.50 ms\n`;
const total = (sent: number) => `\n--- 10.244.0.1 ping statistics ---\n${sent} packets transmitted, n received\n`;

describe("reading ping", () => {
  it("counts replies by sequence number, a duplicate once", () => {
    const text = reply(1) + reply(2) + "64 bytes from 10.244.0.1: icmp_seq=2 ttl=62 time=0.6 ms (DUP!)\n" + total(2);
    expect(readPing(text)).toEqual({ sent: 2, received: 2, lost: 0, averageMs: 0.5 });
  });

  it("counts a hole in the middle as lost", () => {
    expect(readPing(reply(1) + reply(3) + total(3))).toMatchObject({ sent: 3, received: 2, lost: 1 });
  });

  it("forgives what was on its way when the signal came, and no more", () => {
    expect(readPing(reply(1) + reply(2) + total(4), 2)).toMatchObject({ sent: 2, lost: 0 });
    expect(readPing(reply(1) + reply(2) + total(5), 2)).toMatchObject({ sent: 5, lost: 3 });
  });

  it("does not take an error message for a reply", () => {
    const text = "From 10.10.1.1 icmp_seq=1 Destination Net Unreachable\n" + total(1);
    expect(readPing(text)).toMatchObject({ received: 0, lost: 1 });
    expect(readPing("")).toMatchObject({ sent: 0, received: 0 });
  });
});

describe("judging", () => {
  const ping = (received: number) => ({
    name: "a → b",
    count: { sent: 3, received, lost: 3 - received, averageMs: 1 },
  });
  const stream = (sent: number, lost: number) => ({
    name: "s",
    count: { sent, received: sent - lost, lost, averageMs: 1 },
  });
  const request = (seenAs: string, ok = true) => ({
    name: "vm1 → pod",
    expected: "10.20.1.10",
    answer: { ok, milliseconds: 1, seenAs, trouble: "refused" },
  });

  it("wants every ping answered, and at least one asked", () => {
    expect(judgePings([ping(3), ping(3)], 3).held).toBe(true);
    expect(judgePings([ping(3), ping(2)], 3)).toEqual({ held: false, detail: "a → b: 2 of 3 answered" });
    expect(judgePings([], 3).held).toBe(false);
  });

  it("wants no packet of a stream lost, and enough of them", () => {
    expect(judgeStreams([stream(100, 0)], 50).held).toBe(true);
    expect(judgeStreams([stream(100, 1)], 50)).toEqual({ held: false, detail: "s: 1 of 100 lost" });
    expect(judgeStreams([stream(10, 0)], 50).held).toBe(false);
    expect(judgeStreams([], 50).held).toBe(false);
  });

  it("wants the server to have seen the client's own address", () => {
    expect(judgeRequests([request("10.20.1.10")]).held).toBe(true);
    expect(judgeRequests([request("10.10.1.11")]).detail).toContain("saw 10.10.1.11, not 10.20.1.10");
    expect(judgeRequests([request("")]).detail).toContain("saw nobody");
    expect(judgeRequests([request("10.20.1.10", false)]).detail).toContain("refused");
  });

  it("wants the wire bare", () => {
    expect(judgeWire({ packets: 9, missing: [], tunnels: [] }, 4).held).toBe(true);
    expect(judgeWire({ packets: 9, missing: ["a"], tunnels: [] }, 4).held).toBe(false);
    expect(judgeWire({ packets: 9, missing: [], tunnels: ["VXLAN"] }, 4).detail).toBe("VXLAN seen");
  });

  it("wants a restarted agent to know what it knew", () => {
    const before = { blocks: ["10.244.0.0/26", "fd00:244::/122"], pods: ["10.244.0.1"], sessions: 4 };
    expect(judgeMemory(before, { ...before, blocks: [...before.blocks].reverse() }).held).toBe(true);
    expect(judgeMemory(before, { ...before, blocks: ["10.244.0.0/26"] }).detail).toContain("blocks");
    expect(judgeMemory(before, { ...before, pods: [] }).detail).toContain("none after");
    expect(judgeMemory(before, { ...before, sessions: 3 }).held).toBe(false);
  });

  it("finds a request in a server's log, also while a line is half written", () => {
    const log = '{"client":"10.20.1.10","path":"/x"}\n{"client":"10.20.2.10","path":"/y"}\n{"client":"10.2';
    expect(clientOf(log, "/y")).toBe("10.20.2.10");
    expect(clientOf(log, "/z")).toBe("");
    expect(clientOf('{"client":"a","path":"/q', "/q")).toBe("");
  });
});
