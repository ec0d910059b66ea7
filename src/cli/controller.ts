/** `overland controller`: runs until it is told to stop, or looks once. */
import type { KeptBlock, Takeback } from "../../ipam/departed.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { parseDuration } from "../config/duration.ts";
import type { Look } from "../controller/departed-nodes.ts";
import { openLog } from "../telemetry/log.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { clientConfig, requireEtcd, withStore } from "./session.ts";
import { counted, print } from "./terminal.ts";

/** A stop takes no longer than this, whatever still hangs. */
const STOP_MS = 5000;

export async function runController(options: OptionValues): Promise<void> {
  const [graceMs, intervalMs] = [timeOf(options, "grace"), timeOf(options, "interval")];
  if (options["once"] === true) return await once(options, graceMs);
  if (options["output"] !== undefined) throw new Failure("-o is for --once", 2);
  const { etcd: found, kubernetes } = clientConfig(options);
  const etcd = requireEtcd(found);
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
  });
  const { startController } = await import("../controller/compose.ts");
  const logLevel = options["logLevel"] as "info";
  const running = startController({ etcd, ...(kubernetes && { kubernetes }), logLevel, graceMs, intervalMs });
  await told;
  setTimeout(() => process.exit(1), STOP_MS).unref();
  await running.stop();
}

async function once(options: OptionValues, graceMs: number): Promise<void> {
  const { lookOnce } = await import("../controller/compose.ts");
  const log = openLog({ level: options["logLevel"] as "info" });
  const result = await withStore(options, (store) => lookOnce(store, log, graceMs));
  await log.close();
  if ("active" in result) {
    throw new Failure(`a controller is active already (${result.active}) and does this by itself: see its log`);
  }
  const { look } = result;
  if (look.findings !== undefined && look.findings.length > 0) process.exitCode = 1;
  print(options["output"] === "json" ? `${JSON.stringify(documentOf(look), null, 2)}\n` : textOf(look));
}

function documentOf({ departed, done, kept, findings = [] }: Look): object {
  return {
    departed,
    freed: done.flatMap(({ node, freed }) =>
      freed.map(({ addresses, since, ...workload }) => ({
        node,
        addresses: addresses.map(formatAddress),
        ...workload,
        ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
      })),
    ),
    blocks: done.flatMap(({ node, blocks }) => blocks.map((cidr) => ({ node, block: formatPrefix(cidr) }))),
    records: done.flatMap(({ records }) => records),
    kept: kept.map(({ node, cidr, why }) => ({ node, block: formatPrefix(cidr), why })),
    findings,
  };
}

function textOf({ departed, done, kept, findings = [] }: Look): string {
  if (departed.length === 0 && findings.length === 0) return "No departed node holds anything.";
  const lines = departed.flatMap((node) => [
    `Node ${node} is gone:`,
    ...doneLines(done.filter((one) => one.node === node)),
    ...keptLines(kept.filter((one) => one.node === node)),
  ]);
  for (const finding of findings) lines.push(`Not touched: ${finding}`);
  return lines.join("\n");
}

function doneLines(done: readonly Takeback[]): string[] {
  const freed = done.flatMap((one) => one.freed);
  const blocks = done.flatMap((one) => one.blocks);
  return [
    ...freed.map(({ handle, addresses, namespace = "", pod }) => {
      const who = pod === undefined ? `handle ${handle}` : `pod ${namespace}/${pod}`;
      return `  freed ${addresses.map(formatAddress).join(", ") || "no address"} of ${who}`;
    }),
    ...blocks.map((cidr) => `  block ${formatPrefix(cidr)} went back to its pool`),
    `  ${counted(freed.length, "handle")} freed, ${counted(blocks.length, "block")} given back`,
  ];
}

function keptLines(kept: readonly KeptBlock[]): string[] {
  return kept.map(({ cidr, why }) => `  block ${formatPrefix(cidr)} stays: ${why}`);
}

function timeOf(options: OptionValues, name: "grace" | "interval"): number {
  const text = String(options[name]);
  const ms = parseDuration(text);
  const least = name === "grace" ? 0 : 1000;
  if (ms === undefined) throw new Failure(`--${name}: ${text} is not a duration such as 60s or 5m`, 2);
  if (ms < least || ms > 86_400_000) throw new Failure(`--${name}: ${text} is out of range: at most 24h`, 2);
  return ms;
}
