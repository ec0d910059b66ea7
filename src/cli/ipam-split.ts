/** `overland ipam split`: a pool becomes several, under the pods that use it. */
import { parsePrefix } from "../../ipam/net/prefix.ts";
import { type Split, splitPool } from "../config/split-pool.ts";
import { writeYaml } from "../config/yaml.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { type Column, table } from "./table.ts";
import { counted, note, print } from "./terminal.ts";

/** Exit code 0: the pools are there and their blocks know it; 1: refused, or some blocks have the old name still. */
export async function ipamSplit(number: string, options: OptionValues): Promise<void> {
  const request = { pool: poolNamed(options), parts: partsIn(number), dryRun: options["dryRun"] === true };
  const split = await withStore(options, (store) => splitPool(store, request));
  if ("refusal" in split) throw new Failure(`${split.refusal}\nnothing was changed`);
  print(textOf(split, options["output"], request.dryRun));
  if (split.left === 0) return;
  const again = `overland ipam split ${number} --name ${split.from}`;
  note(`${counted(split.left, "block")} could not be renamed, which does no harm; run again: ${again}`);
  process.exitCode = 1;
}

function poolNamed({ name, cidr }: OptionValues): string {
  if ((name === undefined) === (cidr === undefined)) {
    throw new Failure("say which pool to split: --name POOL, or --cidr CIDR", 2);
  }
  if (cidr !== undefined && parsePrefix(cidr as string) === undefined) {
    throw new Failure(`--cidr: ${JSON.stringify(cidr)} is not a CIDR such as 10.244.0.0/16`, 2);
  }
  return (name ?? cidr) as string;
}

function partsIn(number: string): number {
  if (!/^\d{1,4}$/.test(number)) throw new Failure(`NUMBER: ${JSON.stringify(number)} is not a number such as 4`, 2);
  return Number(number);
}

function textOf(split: Split, output: unknown, dryRun: boolean): string {
  if (output === "json") return `${JSON.stringify({ dryRun, ...split }, null, 2)}\n`;
  if (output === "yaml") return writeYaml({ dryRun, ...split });
  const { from, parts, renamed } = split;
  if (!split.split) return `pool ${from} was split already; ${counted(renamed, "block")} renamed`;
  const would = dryRun ? "would be" : "is";
  return `${table(COLUMNS, parts)}pool ${from} ${would} split into these; ${counted(renamed, "block")} renamed`;
}

const COLUMNS: readonly Column<Split["parts"][number]>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "CIDR", cell: ({ cidr }) => cidr },
  { title: "BLOCKS", cell: ({ blocks }) => blocks, right: true },
];
