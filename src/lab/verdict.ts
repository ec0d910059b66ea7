/** Judging what was measured: whether a proof held, and the numbers or the first things wrong in a few words. Pure. */
import type { CaptureJudgement } from "./capture.ts";
import type { PingCount } from "./ping.ts";
import { count } from "./progress.ts";
import type { WebAnswer } from "./web.ts";

export interface Verdict {
  readonly held: boolean;
  readonly detail: string;
}

export interface NamedPing {
  readonly name: string;
  readonly count: PingCount;
}

const TOLD = 3;

export function judgePings(pings: readonly NamedPing[], each: number): Verdict {
  const bad = pings.filter(({ count }) => count.received < each);
  if (bad.length > 0 || pings.length === 0) {
    return {
      held: false,
      detail: firstOf(bad.map(({ name, count }) => `${name}: ${count.received} of ${each} answered`)),
    };
  }
  const average = pings.reduce((sum, { count }) => sum + count.averageMs, 0) / pings.length;
  return { held: true, detail: `${pings.length * each} sent, 0 lost, average ${average.toFixed(2)} ms` };
}

/** A stream beside a drama: enough went by to mean something, and not one packet was lost. */
export function judgeStreams(streams: readonly NamedPing[], atLeast: number): Verdict {
  const thin = streams.filter(({ count }) => count.sent < atLeast);
  const lossy = streams.filter(({ count }) => count.lost > 0);
  const wrong = [
    ...lossy.map(({ name, count }) => `${name}: ${count.lost} of ${count.sent} lost`),
    ...thin.map(({ name, count }) => `${name}: only ${count.sent} sent`),
  ];
  if (wrong.length > 0 || streams.length === 0) return { held: false, detail: firstOf(wrong) };
  const sent = streams.reduce((sum, { count }) => sum + count.sent, 0);
  return { held: true, detail: `${streams.length} conversations, ${sent} pings, 0 lost` };
}

export interface NamedRequest {
  readonly name: string;
  /** The client's own address, which the server must have seen. */
  readonly expected: string;
  readonly answer: WebAnswer;
}

export function judgeRequests(requests: readonly NamedRequest[]): Verdict {
  const wrong = requests.flatMap(({ name, expected, answer }) => {
    if (!answer.ok) return [`${name}: ${answer.trouble || "no answer"}`];
    if (answer.seenAs !== expected) return [`${name}: the server saw ${answer.seenAs || "nobody"}, not ${expected}`];
    return [];
  });
  if (wrong.length > 0 || requests.length === 0) return { held: false, detail: firstOf(wrong) };
  const clients = [...new Set(requests.map(({ expected }) => expected))];
  return { held: true, detail: `${requests.length} requests; the servers' logs say ${firstOf(clients)}` };
}

export function judgeWire(judgement: CaptureJudgement, flows: number): Verdict {
  const wrong = [
    ...judgement.tunnels.map((tunnel) => `${tunnel} seen`),
    ...judgement.missing.map((flow) => `${flow} not seen both ways`),
  ];
  if (wrong.length > 0) return { held: false, detail: firstOf(wrong) };
  return {
    held: true,
    detail: `${judgement.packets} packets, ${flows} conversations with their own addresses, no tunnel`,
  };
}

/** What an agent must have again after it was killed and started anew. */
export interface NodeMemory {
  readonly blocks: readonly string[];
  readonly pods: readonly string[];
  readonly sessions: number;
}

export function judgeMemory(before: NodeMemory, after: NodeMemory): Verdict {
  const differs = (what: string, was: readonly string[], is: readonly string[]) =>
    [...was].sort().join(" ") === [...is].sort().join(" ")
      ? []
      : [`${what}: ${was.join(" ")} before, ${is.join(" ") || "none"} after`];
  const wrong = [
    ...differs("blocks", before.blocks, after.blocks),
    ...differs("pods that answer", before.pods, after.pods),
    ...(after.sessions < before.sessions ? [`sessions: ${before.sessions} before, ${after.sessions} after`] : []),
  ];
  if (wrong.length > 0) return { held: false, detail: firstOf(wrong) };
  const numbers = [
    count(after.sessions, "session"),
    count(after.blocks.length, "block"),
    count(after.pods.length, "pod address"),
  ];
  return { held: true, detail: `${numbers.join(", ")} as before` };
}

const firstOf = (what: readonly string[]): string =>
  what.slice(0, TOLD).join(", ") + (what.length > TOLD ? ` and ${what.length - TOLD} more` : "");
