/** Figures of the rounds, and how the ways compare. */
import type { Figure } from "./load.ts";
import type { Family, Mode } from "./nodes.ts";

/** One measurement. */
export interface Reading {
  readonly round: number;
  readonly mode: Mode;
  readonly family: Family;
  readonly figure: Figure;
  readonly value: number;
}

const PAIRS = [
  ["pod", "overland", "host"],
  ["vxlan", "vxlan", "host"],
  ["ours_over_vxlan", "overland", "vxlan"],
] as const;

/**
 * The median of the rounds' own ratios: a round measures the ways within seconds of each other, so what else the
 * machine did meanwhile touches both. IPv4's names are bare.
 */
export function ratios(readings: readonly Reading[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { family, figure } of subjects(readings)) {
    for (const [name, mode, yardstick] of PAIRS) {
      const all = of(readings, mode, family, figure).map(({ round, value }) => {
        const other = of(readings, yardstick, family, figure).find((reading) => reading.round === round);
        return value / (other?.value ?? Number.NaN);
      });
      const suffix = family === "ipv6" ? "_ipv6" : "";
      result[`${name}_${figure}${suffix}`] = Number(median(all).toFixed(3));
    }
  }
  return result;
}

const of = (readings: readonly Reading[], mode: Mode, family: Family, figure: Figure): Reading[] =>
  readings.filter((one) => one.mode === mode && one.family === family && one.figure === figure);

function subjects(readings: readonly Reading[]): Pick<Reading, "family" | "figure">[] {
  const seen = new Map(readings.map(({ family, figure }) => [`${family} ${figure}`, { family, figure }]));
  return [...seen.values()];
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Medians, with the least and the most of the rounds: far apart, the machine was not quiet. */
export function table(readings: readonly Reading[], modes: readonly Mode[]): string {
  const lines = subjects(readings).map(({ family, figure }) => [
    `${family} ${figure}, ${UNITS[figure][0]}`,
    ...modes.map((mode) => {
      const values = of(readings, mode, family, figure).map(({ value }) => value);
      const [least, most] = [Math.min(...values), Math.max(...values)];
      return `${inUnits(figure, median(values))} (${inUnits(figure, least)}-${inUnits(figure, most)})`;
    }),
  ]);
  const all = [["", ...modes], ...lines];
  const widths = [0, ...modes.map((_, i) => i + 1)].map((column) =>
    Math.max(...all.map((line) => (line[column] as string).length)),
  );
  return all
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const UNITS: Readonly<Record<Figure, readonly [name: string, size: number]>> = {
  throughput: ["Gbit/s", 1e9],
  transactions: ["thousands/s", 1e3],
  latency: ["p50 us", 1],
  connections: ["thousands/s", 1e3],
};

const inUnits = (figure: Figure, value: number): string => (value / UNITS[figure][1]).toFixed(1);
