/** `overland ipam check`: do the records of address management agree, with one another and with pools and nodes? */
import { writeFileSync } from "node:fs";
import { Failure } from "./failure.ts";
import { readIpam } from "./ipam-records.ts";
import { type Report, reportOf } from "./ipam-report.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { counted, note, print } from "./terminal.ts";

/** Exit code 0: nothing found; 1: something is wrong; 2: it could not be looked at. */
export async function ipamCheck(options: OptionValues): Promise<void> {
  const report = reportOf(await withStore(options, readIpam).catch(notChecked), new Date());
  const text = `${JSON.stringify(report, null, 2)}\n`;
  const file = options["outputReport"] as string | undefined;
  if (file !== undefined) writeReport(file, text);
  process.exitCode = report.findings.length === 0 ? 0 : 1;
  print(options["output"] === "json" ? text : inWords(report, file));
}

function notChecked(error: unknown): never {
  throw error instanceof Failure ? new Failure(error.message, 2) : error;
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw new Failure(`--output-report: ${file} cannot be written: ${(error as Error).message}`, 2);
  }
  note(`report written to ${file}`);
}

function inWords(report: Report, file: string | undefined): string {
  const { findings, leaks, strayBlocks } = report;
  const checked = (["pool", "node", "block", "handle"] as const).map((noun) => counted(report[`${noun}s`], noun));
  const lines = [
    `Checked ${checked.join(", ")}; addresses in use: ${report.addressesInUse}.`,
    ...findings.map((finding) => `  ${finding}`),
    findings.length === 0 ? "No problem was found." : `Problems found: ${findings.length}`,
  ];
  if (leaks.length + strayBlocks.length > 0) {
    const addresses = leaks.reduce((sum, leak) => sum + leak.addresses.length, 0);
    const leaked = `${counted(addresses, "leaked address", "es")} of ${counted(leaks.length, "handle")}`;
    lines.push(
      `To give back: ${leaked}, ${counted(strayBlocks.length, "block")} nobody needs. See what would be done:`,
    );
    if (file === undefined) lines.push("  overland ipam check --output-report FILE");
    lines.push(`  overland ipam release --from-report ${file ?? "FILE"} --dry-run`);
  }
  return lines.join("\n");
}
