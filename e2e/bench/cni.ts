/**
 * `npm run bench cni`: our ADD and DEL beside the reference plugins ptp + host-local, in one run on one machine.
 *
 * Both sides work in the same kind of namespace, one after the other in each round and in turn first, driven by the
 * same small C program. Ours is all of it: the plugin, a real agent, a real etcd with its fsync. Figures of different
 * machines cannot be compared, nor can those of a busy one; the ratio is the result.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { callRatios, summarize, table } from "./cni/calls.ts";
import { flood, floor, idle, type Ratios, type Storm, storm, stormRatios } from "./cni/parts.ts";
import { type Phase, Workshop } from "./cni/workshop.ts";
import { exitCodeOf, Refusal } from "./ending.ts";

const HELP = `usage: npm run bench cni -- [--parts NAMES] [--pods N] [--rounds N] [--json]

Measures overland beside ptp + host-local on one machine.

  --parts NAMES  which (calls,storm,routes,idle)
                   calls   ADD and DEL, 1, 10 and 100 calls at a time
                   storm   1,000 pods at once, ADD then DEL; ADD's processor time beside the kernel's own
                   routes  ADD while a router announces and withdraws 100,000 routes (overland alone)
                   idle    the agent's memory with 250 pods (overland alone)
  --pods N       pods per phase of calls (200)
  --rounds N     rounds; medians of the rounds are shown (3)
  --json         print {"ratios", "rows", "raw"} on standard output, the rest on standard error
`;

const PARTS = ["calls", "storm", "routes", "idle"];
const IN_FLIGHT = [1, 10, 100];

interface Settings {
  readonly parts: readonly string[];
  readonly pods: number;
  readonly rounds: number;
  readonly json: boolean;
}

function settings(argv: string[]): Settings | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      parts: { type: "string", default: PARTS.join(",") },
      pods: { type: "string", default: "200" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const count = (name: "pods" | "rounds", most: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > most) {
      throw new Refusal(`--${name} ${values[name]}: must be a whole number from 1 to ${most}`);
    }
    return value;
  };
  const parts = values.parts.split(",");
  for (const part of parts) {
    if (!PARTS.includes(part)) throw new Refusal(`--parts ${part}: there are ${PARTS.join(", ")}`);
  }
  return { parts, pods: count("pods", 5000), rounds: count("rounds", 100), json: values.json };
}

function checkMachine(): void {
  if (process.getuid?.() !== 0) throw new Refusal("the benchmark makes network namespaces: run it as root");
  if (!existsSync("/usr/sbin/bird")) throw new Refusal("bird is missing: install the package bird2");
  if (!existsSync("/usr/lib/cni/ptp") || !existsSync("/usr/lib/cni/host-local")) {
    throw new Refusal("the reference plugins are missing: install the package containernetworking-plugins");
  }
  for (const [program, probe, name] of [
    ["etcd", "--version", "etcd-server"],
    ["gcc", "--version", "gcc"],
    ["ip", "-V", "iproute2"],
  ] as const) {
    if (spawnSync(program, [probe]).error !== undefined)
      throw new Refusal(`${program} is missing: install the package ${name}`);
  }
}

async function measure({ parts, pods, rounds, json }: Settings): Promise<number> {
  const say = json ? console.error : console.log;
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-"));
  const workshop = new Workshop(folder);
  const interrupt = () => workshop.interrupt();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    workshop.build();
    say("starting etcd and an agent in a namespace of their own");
    const ours = await workshop.overland();
    const theirs = workshop.reference();
    const phases: Phase[] = [];
    const storms: Storm[] = [];
    const floors: number[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const side of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
        if (parts.includes("calls")) phases.push(...(await workshop.load(side, pods, IN_FLIGHT)));
      }
      if (parts.includes("storm")) {
        storms.push(await storm(workshop, ours, theirs));
        floors.push(floor(workshop));
      }
    }
    const ratios: Ratios = {};
    const rows = summarize(phases);
    if (rows.length > 0) {
      say(`\n${pods} pods, medians of ${rounds} rounds; ratio: ours / theirs\n\n${table(rows)}`);
      Object.assign(ratios, callRatios(rows));
    }
    if (storms.length > 0) Object.assign(ratios, stormRatios(storms, floors));
    if (parts.includes("idle")) Object.assign(ratios, await idle(workshop, ours));
    if (parts.includes("routes")) Object.assign(ratios, await flood(workshop, ours, rounds));
    say("");
    for (const [name, value] of Object.entries(ratios)) say(`${name.padEnd(30)} ${Number(value.toPrecision(4))}`);
    const raw = { pods, rounds, phases, storms, floors };
    if (json) console.log(JSON.stringify({ ratios, rows, raw }));
    const all = [...phases, ...storms.flatMap((one) => [...one.ours, ...one.theirs])];
    return all.some(({ fail }) => fail > 0) ? 1 : 0;
  } finally {
    await workshop.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const wanted = settings(process.argv.slice(2));
  if (wanted === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  checkMachine();
  return await measure(wanted);
}

process.exitCode = await exitCodeOf("cni", main);
