/**
 * `npm run bench cni`: our ADD and DEL beside the reference plugins ptp + host-local, in one run on one machine.
 *
 * Both sides work in the same kind of namespace, one after the other in each round and in turn first, driven by the
 * same small C program. Ours is all of it: the plugin, a real agent, a real etcd with its fsync. Figures of different
 * machines cannot be compared, nor can those of a busy one; the ratio is the result.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { summarize, table } from "./cni-table.ts";
import { Interrupted, type Phase, Refusal, Workshop } from "./cni-workshop.ts";

const HELP = `usage: npm run bench cni -- [--pods N] [--rounds N] [--json FILE]

Measures ADD and DEL of overland and of ptp + host-local, 1, 10 and 100 calls at a time.

  --pods N      pods per phase (200)
  --rounds N    rounds; medians of the rounds are shown (3)
  --json FILE   also write every figure there
`;

const IN_FLIGHT = [1, 10, 100];

interface Settings {
  readonly pods: number;
  readonly rounds: number;
  readonly json: string | undefined;
}

function settings(argv: string[]): Settings | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      pods: { type: "string", default: "200" },
      rounds: { type: "string", default: "3" },
      json: { type: "string" },
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
  return { pods: count("pods", 5000), rounds: count("rounds", 100), json: values.json };
}

function checkMachine(): void {
  if (process.getuid?.() !== 0) throw new Refusal("the benchmark makes network namespaces: run it as root");
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

async function measure({ pods, rounds, json }: Settings): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-"));
  const workshop = new Workshop(folder);
  const interrupt = () => workshop.interrupt();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    workshop.build();
    console.log("starting etcd and an agent in a namespace of their own");
    const sides = [await workshop.overland(), workshop.reference()] as const;
    const phases: Phase[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        console.log(`round ${round + 1} of ${rounds}: ${side.name}`);
        phases.push(...(await workshop.load(side, pods, IN_FLIGHT)));
      }
    }
    const rows = summarize(phases);
    console.log(`\n${pods} pods, medians of ${rounds} rounds; ratio: ours / theirs\n\n${table(rows)}`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ pods, rounds, rows, phases }, null, 2)}\n`);
    return phases.some(({ fail }) => fail > 0) ? 1 : 0;
  } finally {
    await workshop.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  try {
    const wanted = settings(process.argv.slice(2));
    if (wanted === undefined) {
      process.stdout.write(HELP);
      return 0;
    }
    checkMachine();
    return await measure(wanted);
  } catch (error) {
    if (error instanceof Interrupted) return 130;
    const { code, message } = error as { code?: string; message: string };
    console.error(`bench cni: ${message}`);
    return error instanceof Refusal || code?.startsWith("ERR_PARSE_ARGS") === true ? 2 : 1;
  }
}

process.exitCode = await main();
