/** `overland ipam show`: how full the pools are, who borrowed what, or who has one address. */
import { addressAt, type Block } from "../../ipam/block.ts";
import { blockKey } from "../../ipam/keys.ts";
import { formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { blocksInNoPool, poolUsage } from "../../ipam/usage.ts";
import { writeYaml } from "../config/yaml.ts";
import { Failure } from "./failure.ts";
import { showConfiguration } from "./ipam-configure.ts";
import { type IpamRecords, readIpam } from "./ipam-records.ts";
import { addressFacts, addressText } from "./ipam-show-address.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { type Column, table } from "./table.ts";
import { note, print } from "./terminal.ts";

export async function ipamShow(options: OptionValues): Promise<void> {
  if (options["showConfiguration"] === true) return await showConfiguration(options);
  const wanted = options["ip"] as string | undefined;
  const address = wanted === undefined ? undefined : parseAddress(wanted);
  if (wanted !== undefined && address === undefined) {
    throw new Failure(`--ip: ${JSON.stringify(wanted)} is not an IP address such as 10.244.0.1 or fd00:244::1`, 2);
  }
  const records = await withStore(options, readIpam);
  for (const fault of [...records.damaged, ...unreadable(records)]) note(fault);
  const { output } = options;
  if (address !== undefined) {
    const facts = addressFacts(records, address, Date.now());
    print(dataText(facts, output) ?? addressText(facts));
  } else if (options["showBorrowed"] === true) printBorrowed(records, output);
  else printUsage(records, options["showBlocks"] === true, output);
}

/** What is missing from the figures. */
function unreadable({ reading }: IpamRecords): string[] {
  const spoilt = [...reading.blocks.values()].filter(({ value }) => value === undefined);
  return spoilt.map(({ cidr }) => `${blockKey(cidr)}: the record cannot be read, and is left out here`);
}

/** Undefined: for people. */
function dataText(value: unknown, output: unknown): string | undefined {
  if (output === undefined) return undefined;
  const plain = JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? jsonNumber(part) : part), 2);
  return output === "json" ? `${plain}\n` : writeYaml(JSON.parse(plain));
}

interface UsageRow {
  readonly grouping: "IP Pool" | "Block";
  readonly pool?: string;
  readonly cidr: string;
  readonly node?: string;
  readonly total: bigint;
  readonly inUse: bigint;
  readonly reserved: bigint;
  readonly resting: bigint;
  readonly free: bigint;
}

function printUsage(records: IpamRecords, showBlocks: boolean, output: unknown): void {
  const rows = usageRows(records, Date.now(), showBlocks);
  const data = dataText(rows, output);
  if (data !== undefined) return print(data);
  if (rows.length === 0) return note("there is no IPPool and no block");
  const columns = USAGE_COLUMNS.filter(({ title }) => showBlocks || title !== "NODE");
  print(table(columns, rows));
}

/** Pools by name, each with its blocks behind it if wanted; then blocks that lie in no pool. */
function usageRows({ pools, rules, blocks }: IpamRecords, now: number, showBlocks: boolean): UsageRow[] {
  const rows = poolUsage(pools, blocks, now, rules).flatMap((pool): UsageRow[] => {
    const { name, total, inUse, reserved, free } = pool;
    const cidr = formatPrefix(pool.cidr);
    const resting = total - inUse - reserved - free;
    const row: UsageRow = { grouping: "IP Pool", pool: name, cidr, total, inUse, reserved, resting, free };
    return showBlocks ? [row, ...pool.blocks.map((block) => blockRow(name, block))] : [row];
  });
  const stray = blocksInNoPool(pools, blocks).map((block) => {
    const total = 2 ** (block.cidr.address.length * 8 - block.cidr.length);
    const inUse = block.allocations.size;
    return blockRow(undefined, { cidr: block.cidr, node: block.node, total, inUse, reserved: 0, free: total - inUse });
  });
  return showBlocks ? [...rows, ...stray] : rows;
}

function blockRow(
  pool: string | undefined,
  block: { cidr: Block["cidr"]; node: string; total: number; inUse: number; reserved: number; free: number },
): UsageRow {
  const { node, total, inUse, reserved, free } = block;
  return {
    grouping: "Block",
    ...(pool !== undefined && { pool }),
    cidr: formatPrefix(block.cidr),
    node,
    total: BigInt(total),
    inUse: BigInt(inUse),
    reserved: BigInt(reserved),
    resting: BigInt(total - inUse - reserved - free),
    free: BigInt(free),
  };
}

const USAGE_COLUMNS: readonly Column<UsageRow>[] = [
  { title: "GROUPING", cell: ({ grouping }) => grouping },
  { title: "CIDR", cell: ({ cidr }) => cidr },
  { title: "NODE", cell: ({ node, grouping }) => (grouping === "Block" ? node : "-") },
  { title: "IPS TOTAL", cell: ({ total }) => countText(total), right: true },
  { title: "IPS IN USE", cell: ({ inUse, total }) => shareText(inUse, total), right: true },
  { title: "IPS RESERVED", cell: ({ reserved }) => countText(reserved), right: true },
  { title: "IPS RESTING", cell: ({ resting }) => countText(resting), right: true },
  { title: "IPS FREE", cell: ({ free, total }) => shareText(free, total), right: true },
];

/** Counts beyond what one reads at a glance are rounded: `1.2e+24`. */
function countText(count: bigint): string {
  return count < 1_000_000_000n ? String(count) : Number(count).toExponential(3);
}

function shareText(part: bigint, whole: bigint): string {
  return `${countText(part)} (${whole === 0n ? 0 : Math.round((Number(part) / Number(whole)) * 100)}%)`;
}

// JSON numbers are exact up to 2^53 only; beyond, digits as text.
function jsonNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

interface Borrowed {
  readonly address: string;
  readonly borrower: string;
  readonly block: string;
  readonly owner: string;
  readonly allocatedTo: string;
}

function printBorrowed({ blocks }: IpamRecords, output: unknown): void {
  const rows = blocks.flatMap((block) =>
    [...block.allocations].flatMap(([ordinal, allocation]): Borrowed[] => {
      if (allocation.node === undefined) return [];
      const address = formatAddress(addressAt(block, ordinal));
      const cidr = formatPrefix(block.cidr);
      return [{ address, borrower: allocation.node, block: cidr, owner: block.node, allocatedTo: podText(allocation) }];
    }),
  );
  const data = dataText(rows, output);
  if (data !== undefined) return print(data);
  if (rows.length === 0) return note("no address is borrowed");
  print(table(BORROWED_COLUMNS, rows));
}

const BORROWED_COLUMNS: readonly Column<Borrowed>[] = [
  { title: "IP", cell: ({ address }) => address },
  { title: "BORROWING-NODE", cell: ({ borrower }) => borrower },
  { title: "BLOCK", cell: ({ block }) => block },
  { title: "BLOCK OWNER", cell: ({ owner }) => owner },
  { title: "TYPE", cell: () => "pod" },
  { title: "ALLOCATED-TO", cell: ({ allocatedTo }) => allocatedTo },
];

function podText({ namespace, pod, containerID }: { namespace?: string; pod?: string; containerID: string }): string {
  return pod === undefined ? containerID.slice(0, 12) : `${namespace ?? "default"}/${pod}`;
}
