/** Calls one at a time and many at a time: figures of the rounds, put side by side. */
import type { Phase } from "./workshop.ts";

/** One operation at one number of calls in flight: medians over the rounds, and ours divided by theirs. */
export interface Row {
  readonly op: string;
  readonly inFlight: number;
  readonly ours: Figures;
  readonly theirs: Figures;
  readonly ratio: Figures;
}

export interface Figures {
  /** Milliseconds from the start of the plugin to its end. */
  readonly p50: number;
  readonly p99: number;
  /** Calls a second, all in flight together. */
  readonly perSecond: number;
}

export function summarize(phases: readonly Phase[]): Row[] {
  const keys = [...new Set(phases.map(({ op, c }) => `${op} ${c}`))];
  return keys.sort(byOperationThenNumber).map((key) => {
    const [op, c] = key.split(" ") as [string, string];
    const of = (side: Phase["side"]) =>
      figures(phases.filter((phase) => phase.side === side && phase.op === op && phase.c === Number(c)));
    const [ours, theirs] = [of("overland"), of("ptp + host-local")];
    const ratio = {
      p50: ours.p50 / theirs.p50,
      p99: ours.p99 / theirs.p99,
      perSecond: ours.perSecond / theirs.perSecond,
    };
    return { op, inFlight: Number(c), ours, theirs, ratio };
  });
}

/** By the names under which targets are set. */
export function callRatios(rows: readonly Row[]): Record<string, number> {
  const of = (op: string, inFlight: number) => rows.find((row) => row.op === op && row.inFlight === inFlight) as Row;
  return {
    add_p50_sequential: of("ADD", 1).ratio.p50,
    del_p50_sequential: of("DEL", 1).ratio.p50,
    add_throughput_100_parallel: of("ADD", 100).ratio.perSecond,
    del_throughput_100_parallel: of("DEL", 100).ratio.perSecond,
  };
}

function byOperationThenNumber(a: string, b: string): number {
  const [x, y] = [a.split(" "), b.split(" ")] as [[string, string], [string, string]];
  return x[0].localeCompare(y[0]) || Number(x[1]) - Number(y[1]);
}

function figures(phases: readonly Phase[]): Figures {
  return {
    p50: median(phases.map(({ p50 }) => p50)),
    p99: median(phases.map(({ p99 }) => p99)),
    perSecond: median(phases.map(({ per_s }) => per_s)),
  };
}

export function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

export function table(rows: readonly Row[]): string {
  const head = ["", "", "", "p50 ms", "", "", "p99 ms", "", "", "calls/s"];
  const sub = ["", ...Array.from({ length: 3 }, () => ["overland", "ptp", "ratio"]).flat()];
  const lines = rows.map(({ op, inFlight, ours, theirs, ratio }) => [
    `${op}, ${inFlight} at a time`,
    ...(["p50", "p99"] as const).flatMap((figure) => [
      ours[figure].toFixed(2),
      theirs[figure].toFixed(2),
      `1/${(1 / ratio[figure]).toFixed(1)}`,
    ]),
    ours.perSecond.toFixed(0),
    theirs.perSecond.toFixed(0),
    `${ratio.perSecond.toFixed(1)} x`,
  ]);
  const all = [head, sub, ...lines];
  const widths = sub.map((_, column) => Math.max(...all.map((line) => (line[column] as string).length)));
  const pad = (line: string[]) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join("  ");
  return all.map((line) => pad(line).trimEnd()).join("\n");
}
