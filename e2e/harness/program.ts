/** The built program, as a user starts it: dist/ and nothing of the sources. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Finished, type RunOptions, run } from "./command.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const MAIN = `${ROOT}/dist/src/main.js`;

export const PLUGIN_DIRECTORY = `${ROOT}/dist/cni`;
export const PLUGIN = `${PLUGIN_DIRECTORY}/overland`;

/** The repository's own, whichever one runs the scenarios. */
export const NODE = `${ROOT}/node_modules/.bin/node`;

/** As the first words of a command line. */
export const OVERLAND = [NODE, MAIN];

export function checkBuilt(): void {
  for (const file of [MAIN, PLUGIN])
    if (!existsSync(file)) throw new Error(`${file} is not there: npm run build first`);
}

export function overland(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  checkBuilt();
  return run([...OVERLAND, ...args], { timeoutMs: 110_000, ...options });
}
