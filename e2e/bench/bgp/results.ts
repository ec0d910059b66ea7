/** Medians over the rounds, ratios to BIRD in the same run, and what follows from several scenarios together. */
import type { Run } from "./rounds.ts";

const OURS = "overland";
const YARDSTICK = "bird";
const MEGABYTE_KB = 1024;

/** One device in one scenario. Times in seconds, memory in MB. */
export interface Row {
  readonly scenario: string;
  readonly device: string;
  readonly rounds: number;
  readonly wrong: string | undefined;
  readonly time: number;
  readonly withdrawn: number;
  readonly cpu: number;
  readonly memory: number;
  /** What the routes added to the memory before them. */
  readonly growth: number;
  readonly resident: number;
  readonly noise: number;
  readonly keepaliveLateMs: number;
  /** To BIRD's; NaN where it was not measured. */
  readonly timeRatio: number;
  readonly memoryRatio: number;
}

export function summarize(runs: readonly Run[]): Row[] {
  const keys = [...new Set(runs.map(({ scenario, device }) => `${scenario} ${device}`))];
  const rows = keys.map((key) => {
    const [scenario, device] = key.split(" ") as [string, string];
    return summarizeOne(scenario, device, runs);
  });
  return rows.map((row) => {
    const bird = rows.find(({ scenario, device }) => scenario === row.scenario && device === YARDSTICK);
    const ratio = (of: "time" | "memory") => (bird === undefined || row.wrong ? Number.NaN : row[of] / bird[of]);
    return { ...row, timeRatio: ratio("time"), memoryRatio: ratio("memory") };
  });
}

function summarizeOne(scenario: string, device: string, runs: readonly Run[]): Omit<Row, "timeRatio" | "memoryRatio"> {
  const all = runs.filter((run) => run.scenario === scenario && run.device === device);
  const right = all.filter(({ wrong }) => wrong === undefined);
  const of = (value: (run: Run) => number | undefined) => median(right.map((run) => value(run) ?? Number.NaN));
  return {
    scenario,
    device,
    rounds: right.length,
    wrong: all.find(({ wrong }) => wrong !== undefined)?.wrong,
    time: of(({ time }) => time),
    withdrawn: of(({ withdrawn }) => withdrawn),
    cpu: of(({ cpu }) => cpu),
    memory: of(({ peakKb }) => (peakKb ?? Number.NaN) / MEGABYTE_KB),
    growth: of(({ peakKb, idleKb }) => ((peakKb ?? Number.NaN) - (idleKb ?? Number.NaN)) / MEGABYTE_KB),
    resident: of(({ residentKb }) => (residentKb ?? Number.NaN) / MEGABYTE_KB),
    noise: Math.max(0, ...right.map(({ noise }) => noise ?? 0)),
    keepaliveLateMs: Math.max(0, ...right.map(({ keepaliveLateMs }) => keepaliveLateMs ?? 0)),
  };
}

/** The figures that the targets speak of; what was not measured, or not right, is not among them. */
export function ratios(rows: readonly Row[]): Record<string, number> {
  const found: Record<string, number> = {};
  const put = (name: string, value: number | undefined) => {
    if (value !== undefined && Number.isFinite(value)) found[name] = Number(value.toPrecision(4));
  };
  const row = (scenario: string, device: string) =>
    rows.find((each) => each.scenario === scenario && each.device === device && each.wrong === undefined);
  for (const { scenario, device, wrong, timeRatio, memoryRatio, cpu } of rows) {
    if (device !== OURS || wrong !== undefined || scenario === "i") continue;
    put(`${scenario}_time`, timeRatio);
    put(`${scenario}_memory`, memoryRatio);
    put(`${scenario}_cpu`, cpu / (row(scenario, YARDSTICK)?.cpu ?? Number.NaN));
  }
  const versus = (scenario: string, device: string) =>
    (row(scenario, OURS)?.time ?? Number.NaN) / (row(scenario, device)?.time ?? Number.NaN);
  put("F_time_frr", versus("F", "frr"));
  put("j_rate_raw_netlink", 1 / versus("j", "raw-netlink"));
  const idle = row("i", OURS);
  put("i_rss_mb", idle?.resident);
  put("i_cpu_pct", idle === undefined ? undefined : (idle.cpu / idle.time) * 100);
  const [half, whole] = [row("b", OURS), row("c", OURS)];
  put("c_keepalive_late_ms", whole?.keepaliveLateMs);
  if (half !== undefined && whole !== undefined) {
    put("linear_time", whole.time / half.time / 2);
    put("linear_memory", whole.growth / half.growth / 2);
  }
  const fastest = Math.min(...rows.filter((each) => each.scenario === "c" && !each.wrong).map(({ time }) => time));
  put("generator_over_fastest", fastest / (row("s", "relay")?.time ?? Number.NaN));
  put("generator_sink_routes_per_s", 1_000_000 / (row("s", "sink")?.time ?? Number.NaN));
  put("generator_itself_routes_per_s", 1_000_000 / (row("s", "relay")?.time ?? Number.NaN));
  return found;
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}
