/** Greeters inside VMs and pods, and requests to them: who answered, and whom the server says it saw. */
import { readFileSync } from "node:fs";
import { inside, run } from "./command.ts";
import { logFile, start } from "./processes.ts";

export const HTTP_PORT = 80;

export interface Station {
  readonly name: string;
  readonly netns: string;
  readonly addresses: readonly string[];
}

/** Source or build: the file beside this one, with the same extension. */
const GREETER = new URL(import.meta.url.endsWith(".ts") ? "./greeter.ts" : "./greeter.js", import.meta.url).pathname;

const greeterProcess = (name: string): string => `${name}/greeter`;

export function startGreeter(lab: string, station: Station): void {
  const command = [process.execPath, "--no-warnings", GREETER, station.name, String(HTTP_PORT)];
  start({ lab, name: greeterProcess(station.name), netns: station.netns, command });
}

export interface WebAnswer {
  readonly ok: boolean;
  readonly milliseconds: number;
  /** The client's address in the server's own log; empty if the request never arrived. */
  readonly seenAs: string;
  readonly trouble: string;
}

/** One HTTP request with a path nobody used before, then the line about it in the server's log. */
export async function fetchFrom(lab: string, client: Station, server: Station, address: string): Promise<WebAnswer> {
  const path = `/from-${client.name}-${process.hrtime.bigint()}`;
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${HTTP_PORT}${path}`;
  // A greeter may still be starting: refused connections are tried again, for at most five seconds.
  const patience = ["--retry", "25", "--retry-delay", "0", "--retry-max-time", "5", "--retry-connrefused"];
  const options = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "6"];
  const asked = await run(inside(client.netns, ["curl", ...options, ...patience, url]), { timeoutMs: 10_000 });
  return {
    ok: asked.code === 0,
    milliseconds: asked.milliseconds,
    seenAs: clientOf(readLog(lab, server.name), path),
    trouble: asked.stderr.trim(),
  };
}

/** The client address of the request for this path in a greeter's log. */
export function clientOf(log: string, path: string): string {
  for (const line of log.split("\n")) {
    if (!line.includes(path)) continue;
    try {
      const entry = JSON.parse(line) as { client?: string; path?: string };
      if (entry.path === path) return entry.client ?? "";
    } catch {
      // Half a line: not yet written out.
    }
  }
  return "";
}

function readLog(lab: string, server: string): string {
  try {
    return readFileSync(logFile(lab, greeterProcess(server)), "utf8");
  } catch {
    return "";
  }
}
