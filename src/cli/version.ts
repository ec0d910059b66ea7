/** The version in package.json, wherever this file was built to. */
import { existsSync, readFileSync } from "node:fs";

export function version(): string {
  // src/cli/ in the sources, dist/src/cli/ when built.
  for (const path of ["../../package.json", "../../../package.json"]) {
    const file = new URL(path, import.meta.url);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  }
  return "unknown";
}
