/** The CNI plugin, built when its source is newer than what lies in dist/. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { NODE } from "./modules.mjs";
import { ROOT } from "./root.mjs";
import { Unfit } from "./unfit.mjs";

const SOURCES = `${ROOT}/src/cni/plugin`;

export function buildPlugin() {
  const built = statSync(`${ROOT}/dist/cni/overland`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(
    ...readdirSync(SOURCES)
      .filter((name) => /\.(c|h|mjs)$/.test(name))
      .map((name) => statSync(`${SOURCES}/${name}`).mtimeMs),
  );
  if (built >= newest) return;
  process.stdout.write("overland: building the CNI plugin\n");
  const done = spawnSync(NODE, [`${SOURCES}/build.mjs`], { cwd: ROOT, encoding: "utf8" });
  if (done.status !== 0)
    throw new Unfit(`the CNI plugin does not build:\n${(done.stderr || done.stdout || "").trim()}`);
}
