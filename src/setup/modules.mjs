/** npm packages: installed when they are missing or older than the lock file; the Node.js among them must run. */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { ROOT } from "./root.mjs";
import { Unfit } from "./unfit.mjs";

export const NODE = `${ROOT}/node_modules/.bin/node`;

export function installModules() {
  if (modifiedAt("node_modules/.package-lock.json") >= modifiedAt("package-lock.json")) return;
  process.stdout.write("overland: installing npm packages (npm ci)\n");
  const npm = process.env.npm_execpath;
  const [file, first] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
  const options = { cwd: ROOT, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 };
  const done = spawnSync(file, [...first, "ci", "--no-fund", "--no-audit"], options);
  if (done.status !== 0) {
    const lines = (done.stderr || done.stdout || done.error?.message || "").trim().split("\n");
    // npm says what is wrong first, and then for long how it is used.
    const said = lines
      .filter((line) => !line.startsWith("npm warn"))
      .slice(0, 8)
      .join("\n  ");
    throw new Unfit(`npm ci failed; put this right and run it again:\n  ${said}`);
  }
  const version = spawnSync(NODE, ["--version"], { encoding: "utf8" });
  if (version.status === 0) return;
  throw new Unfit(
    "node_modules/.bin/node does not run: the npm package `node` fetches it in its install script. " +
      "Allow install scripts (npm config set ignore-scripts false) and run: npm ci",
  );
}

/** Milliseconds since the epoch; 0 for a file that is not there. */
function modifiedAt(path) {
  return statSync(`${ROOT}/${path}`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
