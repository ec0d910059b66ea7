/**
 * What `overland ipam check` found, as a document: `-o json` prints it, `--output-report` writes it, and
 * `ipam release --from-report` frees what it calls leaked.
 */

import { readFileSync } from "node:fs";
import { audit } from "../../ipam/audit.ts";
import { findLeaks, type Leak } from "../../ipam/leaks.ts";
import { misplaced } from "../../ipam/misplaced.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { containsPrefix, formatPrefix } from "../../ipam/net/prefix.ts";
import { LOAD_BALANCER } from "../../ipam/virtual-node.ts";
import { checkReport, type ReadReport, type StrayBlock } from "../config/schema/ipam-report.ts";
import { Failure } from "./failure.ts";
import type { IpamRecords } from "./ipam-records.ts";

const VERSION = 1;

export interface Report {
  readonly reportVersion: typeof VERSION;
  readonly madeAt: string;
  /** The store's, at which all of it was read. */
  readonly revision: string;
  readonly pools: number;
  readonly nodes: number;
  readonly blocks: number;
  readonly handles: number;
  readonly addressesInUse: number;
  /** Everything that is wrong, in words. */
  readonly findings: readonly string[];
  readonly leaks: readonly ReportedLeak[];
  /** Blocks that nobody needs once no address of them is in use. */
  readonly strayBlocks: readonly StrayBlock[];
}

export interface ReportedLeak extends Omit<Leak, "handleRevision" | "addresses"> {
  readonly handleRevision: string;
  readonly addresses: readonly ReportedAddress[];
}

interface ReportedAddress {
  readonly ip: string;
  readonly block: string;
  /** When it was given: milliseconds since the epoch, which no other allocation of the handle has; and for people. */
  readonly at?: number;
  readonly since?: string;
}

export function reportOf(records: IpamRecords, now: Date): Report {
  const { reading, pools, nodes, blocks, entries, damaged } = records;
  const leaks = findLeaks(reading, nodes);
  const departed = leaks.filter(({ ownerGone }) => ownerGone).map((leak) => leakText(reportedLeak(leak)));
  return {
    reportVersion: VERSION,
    madeAt: now.toISOString(),
    revision: String(records.revision),
    pools: pools.length,
    nodes: [...nodes].filter((name) => name !== LOAD_BALANCER).length,
    blocks: reading.blocks.size,
    handles: reading.handles.size,
    addressesInUse: blocks.reduce((sum, block) => sum + block.allocations.size, 0),
    findings: [...damaged, ...audit(entries), ...misplaced(reading, pools, nodes), ...departed],
    leaks: leaks.map(reportedLeak),
    strayBlocks: strayBlocks(records),
  };
}

export function strayBlocks({ blocks, pools, nodes }: IpamRecords): StrayBlock[] {
  return blocks.flatMap(({ cidr, node }): StrayBlock[] => {
    const of = { cidr: formatPrefix(cidr), node };
    if (!nodes.has(node)) return [{ ...of, why: "its node does not exist" }];
    return pools.some((pool) => containsPrefix(pool.cidr, cidr)) ? [] : [{ ...of, why: "it is in no pool" }];
  });
}

/** `10.244.0.5, fd00:244::5 of pod ns/web (handle h, since 2026-01-02T03:04:05Z): node n9 does not exist` */
export function leakText(leak: ReportedLeak): string {
  const what = leak.addresses.map(({ ip }) => ip).join(", ") || "no address";
  const pod = leak.pod === undefined ? "" : ` of pod ${leak.namespace ?? "default"}/${leak.pod}`;
  const since = leak.addresses.find((one) => one.since !== undefined)?.since;
  return `${what}${pod} (handle ${leak.handle}${since === undefined ? "" : `, since ${since}`}): ${leak.why}`;
}

export function reportedLeak(leak: Leak): ReportedLeak {
  const { handle, handleRevision, addresses, ...rest } = leak;
  return {
    handle,
    handleRevision: String(handleRevision),
    addresses: addresses.map(({ address, block, at }) => ({
      ip: formatAddress(address),
      block: formatPrefix(block),
      ...(at === undefined ? {} : { at, since: timeText(at) }),
    })),
    ...rest,
  };
}

/** RFC 3339 in UTC; a number that is no time, which only a hand can have written, as it is. */
export function timeText(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}

/** Throws a Failure with exit code 2 for what is not a report of this program. */
export function readReport(file: string): ReadReport {
  const value = documentIn(file);
  const { reportVersion } = (value ?? {}) as { reportVersion?: unknown };
  if (reportVersion === undefined) {
    throw notAReport(file, "it is not what `overland ipam check --output-report` writes");
  }
  if (reportVersion !== VERSION) {
    throw notAReport(file, `its reportVersion is ${JSON.stringify(reportVersion)}, and this program reads ${VERSION}`);
  }
  const checked = checkReport(value);
  if ("problem" in checked) throw notAReport(file, `${checked.problem}; make a new one`);
  return checked;
}

function documentIn(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${(error as Error).message}`, 2);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw notAReport(file, "it is not JSON");
  }
}

function notAReport(file: string, why: string): Failure {
  return new Failure(`${file} is no report that can be used: ${why}`, 2);
}
