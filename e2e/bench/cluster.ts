/**
 * `npm run bench cluster`: what it costs one process to follow a large cluster: 5,000 nodes, 5,000 services, 20,000
 * slices from the API server of e2e/kubernetes, through the built src/cluster. Until everything is known, when nothing
 * happens, and at 100 changes a second.
 *
 * Time until all is known is the server's as much as ours, and this server is slower than the real one: how long the
 * same octets take somebody who throws them away is shown beside it, and our own processor time.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ApiServer } from "../harness/api-server.ts";
import { type Figures, Follower } from "./cluster/follower.ts";
import { LARGE, type Size, writeObjects } from "./cluster/objects.ts";
import { exitCodeOf, Refusal } from "./ending.ts";

const HELP = `usage: npm run bench cluster -- [--share PERCENT] [--seconds N] [--json]

Measures one process that follows a large cluster's nodes, namespaces, services and slices.

  --share PERCENT  of the full size (100): 5,000 nodes, 5,000 services, 20,000 slices
  --seconds N      how long to look at idle, and at changes (20)
  --json           print {"ratios", "raw"} on standard output, the rest on standard error
`;

const TARGETS: Partial<Record<keyof Figures, number>> = {
  synced_seconds: 3,
  resident_mb: 150,
  idle_percent: 1,
  changes_percent: 10,
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      share: { type: "string", default: "100" },
      seconds: { type: "string", default: "20" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [share, seconds] = [whole("share", values.share, 100), whole("seconds", values.seconds, 600)];
  const say = values.json ? console.error : console.log;
  const figures = await measure(sized(share), seconds, say);
  for (const [name, value] of Object.entries(figures)) {
    const target = TARGETS[name as keyof Figures];
    say(`${name.padEnd(26)} ${String(value).padStart(9)}${target === undefined ? "" : `   (at most ${target})`}`);
  }
  if (values.json) console.log(JSON.stringify({ ratios: figures, raw: { share, seconds } }));
  return 0;
}

async function measure(size: Size, seconds: number, say: (line: string) => void): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-"));
  let server: ApiServer | undefined;
  try {
    say(`making ${size.nodes} nodes, ${size.services} services, ${size.services * size.slicesPerService} slices`);
    const file = join(folder, "objects.jsonl");
    await writeObjects(file, size);
    server = await ApiServer.start({ words: ["--load", file] });
    return await new Follower(server, size, seconds, say).figures();
  } finally {
    await server?.remove();
    rmSync(folder, { recursive: true });
  }
}

function sized(share: number): Size {
  const part = (count: number) => Math.max(1, Math.round((count * share) / 100));
  return { ...LARGE, nodes: part(LARGE.nodes), services: part(LARGE.services), namespaces: part(LARGE.namespaces) };
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Refusal(`--${name} ${text}: must be a whole number from 1 to ${most}`);
}

process.exitCode = await exitCodeOf("cluster", main);
