/**
 * `npm run bench ipam`: address management on a real etcd with its fsync: how fast one node gives out addresses, what
 * that costs in transactions, what a claim costs in a large cluster, and 200 nodes that start at once.
 */
import { parseArgs } from "node:util";
import { EtcdForTests } from "../../ipam/etcd/etcd-for-tests.ts";
import { exitCodeOf, Refusal } from "./ending.ts";
import { type Claims, claimBlocks, startTogether } from "./ipam/claims.ts";
import { LOADS, type Rate, rates } from "./ipam/rates.ts";

const HELP = `usage: npm run bench ipam -- [--rounds N] [--json]

Measures the allocator on one etcd on this machine: assignments and releases, claims of blocks, many nodes at once.

  --rounds N   rounds; medians are shown (3)
  --json       print {"ratios", "raw"} on standard output, the rest on standard error
`;

const BLOCKS = 20_000;
const NODES = 200;

interface Round {
  readonly rates: readonly Rate[];
  readonly empty: Claims;
  readonly full: Claims;
  readonly together: Claims;
}

async function round(): Promise<Round> {
  const etcd = await EtcdForTests.start();
  try {
    const measured = await rates(etcd.endpoint);
    const empty = await claimBlocks(etcd.endpoint, "10.0.0.0/8", 0);
    const full = await claimBlocks(etcd.endpoint, "11.0.0.0/8", BLOCKS);
    return { rates: measured, empty, full, together: await startTogether(etcd.endpoint, NODES) };
  } finally {
    await etcd.remove();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

function ratesTable(rounds: readonly Round[]): string[] {
  const lines = ["what      at once   p50 ms   p99 ms       /s   in a transaction"];
  for (const op of ["assign", "release"] as const) {
    for (const { parallel } of LOADS) {
      const of = (field: "p50" | "p99" | "perSecond" | "perTransaction") => median(pick(rounds, op, parallel, field));
      const cells = [of("p50").toFixed(2), of("p99").toFixed(2), of("perSecond").toFixed(0)].map((cell) =>
        cell.padStart(8),
      );
      const share = of("perTransaction").toFixed(1).padStart(18);
      lines.push([op.padEnd(8), String(parallel).padStart(8), ...cells, share].join(" "));
    }
  }
  return lines;
}

function pick(rounds: readonly Round[], op: string, parallel: number, field: keyof Rate): number[] {
  return rounds.map((one) => one.rates.find((rate) => rate.op === op && rate.parallel === parallel)?.[field] as number);
}

function ratiosOf(rounds: readonly Round[]): Record<string, number> {
  const of = (value: (one: Round) => number) => Number(median(rounds.map(value)).toPrecision(4));
  return {
    assignments_per_second: Math.round(median(pick(rounds, "assign", 100, "perSecond"))),
    assignments_per_transaction: Number(median(pick(rounds, "assign", 100, "perTransaction")).toPrecision(4)),
    claim_20000_blocks: of(({ empty, full }) => full.p50 / empty.p50),
    claim_transactions: of(({ full }) => full.transactions),
    claim_reads: of(({ full }) => full.reads),
    start_200_nodes_transactions: of(({ together }) => together.transactions),
    start_200_nodes_failed: of(({ together }) => together.failed),
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const count = Number(values.rounds);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw new Refusal(`--rounds ${values.rounds}: must be a whole number from 1 to 100`);
  }
  const say = values.json ? console.error : console.log;
  const rounds: Round[] = [];
  for (let n = 1; n <= count; n++) {
    say(`round ${n} of ${count}`);
    rounds.push(await round());
  }
  say(`\none node, IPv4 and IPv6 together; medians of ${count} rounds\n`);
  for (const line of ratesTable(rounds)) say(line);
  const ms = (value: (one: Round) => number) => median(rounds.map(value)).toFixed(2);
  say(`\nthe first address of a node, a block with it: ${ms(({ empty }) => empty.p50)} ms in an empty cluster,`);
  say(`${ms(({ full }) => full.p50)} ms in one of ${BLOCKS} blocks`);
  say(`${NODES} nodes at once: the last is done after ${ms(({ together }) => together.wall)} ms\n`);
  const ratios = ratiosOf(rounds);
  for (const [name, value] of Object.entries(ratios)) say(`${name.padEnd(30)} ${value}`);
  if (values.json) console.log(JSON.stringify({ ratios, raw: rounds }));
  return rounds.some(({ together }) => together.failed > 0) ? 1 : 0;
}

process.exitCode = await exitCodeOf("ipam", main);
