/** What a lab that failed leaves when it is removed: its logs, captures and configurations, and how it was doing. */
import { cpSync, existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { labPaths } from "./paths.ts";
import { labStatus } from "./status.ts";

/** Gives the directory; undefined when there was not yet a lab. Sockets cannot be copied, and say nothing. */
export async function keepEvidence(lab: string): Promise<string | undefined> {
  const { run } = labPaths(lab);
  if (!existsSync(run)) return undefined;
  const status = await labStatus(lab);
  const kept = mkdtempSync(`${tmpdir()}/overland-lab-${lab}-`);
  cpSync(run, kept, { recursive: true, filter: (file) => !/\.(sock|ctl|vty)$/.test(file) });
  writeFileSync(`${kept}/status.json`, `${JSON.stringify(status, null, 1)}\n`);
  return kept;
}
