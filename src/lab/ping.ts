/** Pings: a few as a proof of reachability, or a steady stream beside a drama, judged by its sequence numbers. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inside, run } from "./command.ts";
import { isRunning } from "./proc.ts";
import { kill, logFile, start } from "./processes.ts";
import type { ProcessRecord } from "./state.ts";
import type { Station } from "./web.ts";

export interface PingCount {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly averageMs: number;
}

/**
 * Reads ping's output. Replies are counted by their sequence number, once each. The stream is ended by a signal: what
 * was sent in the last moment could not come back any more, so up to `inFlight` unanswered packets at the very end
 * are no loss.
 */
export function readPing(text: string, inFlight = 0): PingCount {
  const replies = new Set<number>();
  let total = 0;
  for (const [, sequence, time] of text.matchAll(/icmp_seq=(\d+) .*?time=([\d.]+) ms(?! \(DUP!\))/g)) {
    replies.add(Number(sequence));
    total += Number(time);
  }
  const transmitted = Number(/(\d+) packets transmitted/.exec(text)?.[1] ?? 0);
  const last = Math.max(0, ...replies);
  const tail = transmitted - last;
  const sent = tail <= inFlight ? last : transmitted;
  return {
    sent,
    received: replies.size,
    lost: sent - replies.size,
    averageMs: replies.size === 0 ? 0 : total / replies.size,
  };
}

/** `count` pings, 100 ms apart, each waited for at most a second. */
export async function ping(from: Station, address: string, count: number): Promise<PingCount> {
  const command = ["ping", "-n", "-c", String(count), "-i", "0.1", "-W", "1", address];
  return readPing((await run(inside(from.netns, command))).stdout);
}

export interface PingStream {
  readonly name: string;
  readonly record: ProcessRecord;
  readonly log: string;
}

/** 25 a second until stopped. */
export function startPing(lab: string, from: Station, to: Station, address: string): PingStream {
  const name = `ping-${from.name}-${to.name}-${address.includes(":") ? "ipv6" : "ipv4"}-${Date.now()}`;
  const command = ["ping", "-n", "-i", "0.04", address];
  const record = start({ lab, name, netns: from.netns, command });
  return { name: `${from.name} → ${to.name} ${address}`, record, log: logFile(lab, name) };
}

/** The last two packets may be on their way when the signal comes. */
export async function endPing(stream: PingStream): Promise<PingCount> {
  kill(stream.record, "SIGINT");
  for (let turn = 0; turn < 100 && isRunning(stream.record); turn++) await sleep(10);
  kill(stream.record, "SIGKILL");
  return readPing(readFileSync(stream.log, "utf8"), 2);
}
