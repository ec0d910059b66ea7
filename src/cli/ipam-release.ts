/** `overland ipam release`: frees single addresses, or all that a report of `ipam check` calls leaked. */
import { allocationAt, findLeaks, holdingsOf, type Leak } from "../../ipam/leaks.ts";
import { type Address, formatAddress, parseAddress, sameAddress } from "../../ipam/net/address.ts";
import { containsAddress } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import type { StrayBlock } from "../config/schema/ipam-report.ts";
import { Failure } from "./failure.ts";
import { type Done, giveBackBlock, type Outcome, releaseLeak, type Terms } from "./ipam-give-back.ts";
import { type IpamRecords, readIpam } from "./ipam-records.ts";
import { leakText, readReport, reportedLeak } from "./ipam-report.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { print } from "./terminal.ts";

interface Row {
  readonly outcome: Outcome | "not-in-use";
  readonly handle?: string;
  readonly addresses?: readonly string[];
  readonly block?: string;
  readonly pod?: string;
  /** The line for people, without the outcome. */
  readonly evidence: string;
  readonly why: string;
}

/** Exit code 0: nothing that was asked for is left; 1: something is, and why is said. */
export async function ipamRelease(options: OptionValues): Promise<void> {
  const { ip, fromReport } = options as { ip?: readonly string[]; fromReport?: string };
  if ((ip === undefined) === (fromReport === undefined)) {
    throw new Failure("say what to release: --ip ADDRESS, or --from-report FILE", 2);
  }
  const terms = { dryRun: options["dryRun"] === true, force: options["force"] === true };
  const addresses = (ip ?? []).map(addressIn);
  const report = fromReport === undefined ? undefined : readReport(fromReport);
  const rows = await withStore(options, async (store) =>
    report === undefined
      ? await releaseAddresses(store, addresses, terms)
      : await releaseAll(store, report.leaks, report.strayBlocks, terms),
  );
  if (options["output"] === "json") print(`${JSON.stringify({ ...terms, outcomes: rows }, null, 2)}\n`);
  else print(rows.map(rowText).join("\n") || "there is nothing to release");
  process.exitCode = rows.some(({ outcome }) => outcome === "refused" || outcome === "unknown") ? 1 : 0;
}

function addressIn(text: string): Address {
  const address = parseAddress(text.trim());
  if (address !== undefined) return address;
  throw new Failure(`--ip: ${JSON.stringify(text)} is not an IP address such as 10.244.0.1 or fd00:244::1`, 2);
}

async function releaseAddresses(store: Store, addresses: readonly Address[], terms: Terms): Promise<Row[]> {
  const records = await readIpam(store);
  const leaks = findLeaks(records.reading, records.nodes);
  const wanted = new Map<string, Leak>();
  const rows: Row[] = [];
  for (const address of addresses) {
    const whole = leakedWith(address, leaks) ?? heldWith(address, records);
    if (whole === undefined) rows.push(notInUse(address, records));
    else if (!wanted.has(whole.handle)) {
      wanted.set(whole.handle, onlyAsked(whole, addresses, records));
    }
  }
  return [...rows, ...(await releaseAll(store, [...wanted.values()], [], terms))];
}

/** Of what a handle holds, the addresses asked for. With a record that cannot be read, all: the record goes. */
function onlyAsked(leak: Leak, addresses: readonly Address[], { reading, nodes }: IpamRecords): Leak {
  const known = reading.handles.get(leak.handle);
  const all = holdingsOf(leak.handle, reading, nodes, leak.why);
  if (known !== undefined && known.value === undefined) return all;
  const isAsked = ({ address }: { address: Address }) => addresses.some((other) => sameAddress(address, other));
  const kept = all.addresses.filter((one) => !isAsked(one)).map(({ address }) => formatAddress(address));
  const why = kept.length === 0 ? leak.why : `${leak.why}; the handle keeps ${kept.join(", ")}`;
  return { ...leak, why, addresses: leak.addresses.filter(isAsked) };
}

function leakedWith(address: Address, leaks: readonly Leak[]): Leak | undefined {
  return leaks.find(({ addresses }) => addresses.some((one) => sameAddress(one.address, address)));
}

function heldWith(address: Address, { reading, blocks, nodes }: IpamRecords): Leak | undefined {
  const block = blocks.find(({ cidr }) => containsAddress(cidr, address));
  const allocation = allocationAt(block, address);
  if (block === undefined || allocation === undefined) return undefined;
  const node = allocation.node ?? block.node;
  return holdingsOf(allocation.handle, reading, nodes, `in use on node ${node}, and its records agree`);
}

function notInUse(address: Address, { reading }: IpamRecords): Row {
  const ip = formatAddress(address);
  const spoilt = [...reading.blocks.values()].some(
    ({ cidr, value }) => value === undefined && containsAddress(cidr, address),
  );
  if (!spoilt) return { outcome: "not-in-use", addresses: [ip], evidence: ip, why: "nobody has it" };
  return { outcome: "refused", addresses: [ip], evidence: ip, why: "the record of its block cannot be read" };
}

/** Blocks after addresses: they are empty only then. */
async function releaseAll(
  store: Store,
  leaks: readonly Leak[],
  blocks: readonly StrayBlock[],
  terms: Terms,
): Promise<Row[]> {
  const rows: Row[] = [];
  const down = () => rows.some(({ outcome }) => outcome === "unknown");
  for (const leak of leaks) {
    const done: Done = down() ? NOT_TRIED : await releaseLeak(store, leak, terms);
    const { addresses, pod, namespace } = reportedLeak(leak);
    rows.push({
      ...done,
      handle: leak.handle,
      addresses: addresses.map(({ ip }) => ip),
      ...(pod === undefined ? {} : { pod: `${namespace ?? "default"}/${pod}` }),
      evidence: leakText(reportedLeak(leak)),
    });
  }
  const freed = new Set(rows.flatMap(({ outcome, handle = "" }) => (outcome === "would-release" ? handle : [])));
  for (const block of blocks) {
    const done: Done = down() ? NOT_TRIED : await giveBackBlock(store, block, terms.dryRun, freed);
    rows.push({ ...done, block: block.cidr, evidence: `block ${block.cidr} of node ${block.node}: ${block.why}` });
  }
  return rows;
}

const NOT_TRIED: Done = { outcome: "unknown", why: "not tried, since etcd cannot be used" };

const WORDS: Readonly<Record<Row["outcome"], string>> = {
  released: "released",
  "would-release": "would release",
  changed: "not any more",
  kept: "kept",
  refused: "refused",
  unknown: "not known",
  "not-in-use": "not in use",
};

function rowText({ outcome, evidence, why }: Row): string {
  const told = outcome === "released" || outcome === "would-release" || outcome === "not-in-use";
  return `${WORDS[outcome]}: ${evidence}${told ? "" : `\n  ${why}`}`;
}
