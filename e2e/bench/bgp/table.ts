/** The results as people read them. */
import type { Row } from "./results.ts";
import type { Run } from "./rounds.ts";
import type { Scenario } from "./scenarios.ts";

const HEAD = ["", "time s", "/ bird", "withdraw s", "CPU s", "peak MB", "/ bird", "others' CPUs", ""];

/** A block for each scenario, a line for each device. */
export function table(rows: readonly Row[], scenarios: readonly Scenario[], rounds: number): string {
  const blocks = scenarios.map((scenario) => {
    const lines = rows.filter((row) => row.scenario === scenario.letter).map((row) => line(row, scenario, rounds));
    return { title: `${scenario.letter}: ${scenario.title}`, lines };
  });
  const all = [HEAD, ...blocks.flatMap(({ lines }) => lines)];
  // The last column is free text.
  const widths = HEAD.map((_, i) =>
    i === HEAD.length - 1 ? 0 : Math.max(...all.map((cells) => (cells[i] ?? "").length)),
  );
  const pad = (cells: readonly string[]) =>
    cells
      .map((cell, i) =>
        i === 0 || i === cells.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return blocks
    .map(({ title, lines }) => [title, ...[HEAD, ...lines].map((cells) => `  ${pad(cells)}`)].join("\n"))
    .join("\n\n");
}

function line(row: Row, scenario: Scenario, rounds: number): string[] {
  if (row.wrong !== undefined) return [row.device, "FAILED", "", "", "", "", "", "", row.wrong.split("\n", 1)[0] ?? ""];
  const idle = scenario.idleSeconds > 0;
  return [
    row.device,
    idle ? "-" : figure(row.time),
    idle ? "-" : figure(row.timeRatio),
    figure(row.withdrawn),
    figure(row.cpu),
    figure(row.memory, 0),
    figure(row.memoryRatio),
    figure(row.noise),
    [remark(row, scenario), row.rounds < rounds ? `${row.rounds} of ${rounds} rounds` : ""].filter(Boolean).join("; "),
  ];
}

function remark(row: Row, { idleSeconds, watchers, letter, prefixes }: Scenario): string {
  if (idleSeconds > 0)
    return `${figure((row.cpu / row.time) * 100)} % of a CPU, ${figure(row.resident, 0)} MB resident`;
  if (watchers > 0) return `keepalives late by ${figure(row.keepaliveLateMs, 0)} ms at most`;
  if (letter === "s") return `${figure(prefixes / row.time / 1e6, 1)} million routes/s`;
  return "";
}

function figure(value: number, digits = value < 1 ? 3 : 2): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}

/** One run, as soon as it is done. */
export function progress(run: Run): string {
  const name = `${run.scenario} ${run.device}, round ${run.round}`;
  if (run.wrong !== undefined) return `${name}: FAILED: ${run.wrong}`;
  const noise = (run.noise ?? 0) > 0.005 ? `, others used ${run.noise?.toFixed(2)} CPUs` : "";
  return `${name}: ${run.time?.toFixed(3)} s, ${((run.peakKb ?? 0) / 1024).toFixed(0)} MB${noise}`;
}
