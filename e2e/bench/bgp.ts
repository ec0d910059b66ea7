/**
 * `npm run bench bgp`: our speaker beside BIRD, FRR, GoBGP and OpenBGPD, in one run on one machine.
 *
 * Every run has two namespaces of its own, the device in one, our generator in the other, and counts only if every
 * receiver ended with every prefix along a shortest path, and without any after the withdrawal. Figures of different
 * machines, or of a busy one, cannot be compared; the ratios to BIRD are the result.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { removeLeftovers } from "./bgp/arena.ts";
import { DEVICES } from "./bgp/devices/all.ts";
import { ratios, summarize } from "./bgp/results.ts";
import { allRounds, type Plan } from "./bgp/rounds.ts";
import { SCENARIOS, scaled } from "./bgp/scenarios.ts";
import { progress, table } from "./bgp/table.ts";
import { exitCodeOf, Refusal } from "./ending.ts";

const HELP = `usage: npm run bench bgp -- [--duts NAMES] [--scenarios LETTERS] [--rounds N] [--json] …

Measures BGP speakers: how fast they learn, choose and announce, and what that costs in CPU and memory.

  --duts NAMES         devices under test (overland,bird,frr,gobgp,openbgpd)
  --scenarios LETTERS  (a,b,c,d,e,g,f,F,j,i,s)
  --rounds N           rounds; medians are shown (3)
  --json               print {"ratios", "rows", "raw"} on standard output, the rest on standard error
  --scale X            so many times the routes (1); other than 1 only to try things out
  --seed N             another table of the same shape (1)
  --timeout SECONDS    for each phase of a run (120)
  --noise CPUS         others may use so much before a run is repeated, at most twice (0.15)
  --nice N             priority of device and generator (-15)

devices:
${DEVICES.map(({ name, note }) => `  ${name.padEnd(12)} ${note}`).join("\n")}

scenarios:
${SCENARIOS.map(({ letter, title }) => `  ${letter}  ${title}`).join("\n")}

All peers are eBGP with hold time 180 s (i: 90 s) and no filters; in f, F, i and k they are clients of a reflector.
Peak memory is the sum over the device's processes.
`;

const OTHERS = new Set(["bird", "frr", "frr-delays", "gobgp", "openbgpd"]);

interface Settings extends Omit<Plan, "onRun"> {
  readonly json: boolean;
}

function settings(argv: string[], interrupted: () => boolean): Settings | undefined {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: argv,
    options: {
      duts: text("overland,bird,frr,gobgp,openbgpd"),
      scenarios: text("a,b,c,d,e,g,f,F,j,i,s"),
      rounds: text("3"),
      scale: text("1"),
      seed: text("1"),
      timeout: text("120"),
      noise: text("0.15"),
      nice: text("-15"),
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const number = (name: "rounds" | "scale" | "seed" | "timeout" | "noise" | "nice", least: number, most: number) => {
    const value = Number(values[name]);
    if (value >= least && value <= most) return value;
    throw new Refusal(`--${name} ${values[name]}: must be a number from ${least} to ${most}`);
  };
  const scale = number("scale", 0.0001, 4);
  return {
    devices: pick("--duts", values.duts, DEVICES, ({ name }) => name),
    scenarios: pick("--scenarios", values.scenarios, SCENARIOS, ({ letter }) => letter).map((each) =>
      scaled(each, scale),
    ),
    rounds: Math.ceil(number("rounds", 1, 100)),
    noise: number("noise", 0, 1000),
    tries: 3,
    json: values.json,
    terms: {
      seed: number("seed", 0, 2 ** 31),
      niceness: Math.round(number("nice", -20, 19)),
      timeoutSeconds: number("timeout", 1, 3600),
      interrupted,
    },
  };
}

function pick<T>(option: string, names: string, from: readonly T[], nameOf: (each: T) => string): T[] {
  return names.split(",").map((name) => {
    const found = from.find((each) => nameOf(each) === name);
    if (found !== undefined) return found;
    throw new Refusal(`${option} ${name}: there are ${from.map(nameOf).join(", ")}`);
  });
}

function checkMachine({ devices }: Settings): void {
  if (process.getuid?.() !== 0) throw new Refusal("the benchmark makes network namespaces: run it as root");
  for (const { name, program } of devices) {
    if (!existsSync(program)) throw new Refusal(`${name} is not installed: ${program} is missing`);
  }
}

async function measure(wanted: Settings): Promise<number> {
  const say = wanted.json ? console.error : console.log;
  removeLeftovers();
  const runs = await allRounds({ ...wanted, onRun: (run) => say(progress(run)) });
  const rows = summarize(runs);
  const notes = wanted.devices.map(({ name, note }) => `${name}: ${note}`).join("; ");
  say(`\nmedians of ${wanted.rounds} rounds, as ratios to BIRD; ${notes}\n`);
  say(`${table(rows, wanted.scenarios, wanted.rounds)}\n`);
  const result = ratios(rows);
  for (const [name, value] of Object.entries(result)) say(`${name.padEnd(30)} ${value}`);
  if (wanted.json) console.log(JSON.stringify({ ratios: result, rows, raw: runs }));
  // That another speaker is too slow for the time allowed is a result; that ours or the bench is wrong is a failure.
  return runs.some(({ device, wrong }) => wrong !== undefined && !OTHERS.has(device)) ? 1 : 0;
}

async function main(): Promise<number> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("SIGHUP", interrupt);
  const wanted = settings(process.argv.slice(2), () => interrupted);
  if (wanted === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  checkMachine(wanted);
  return await measure(wanted);
}

process.exitCode = await exitCodeOf("bgp", main);
