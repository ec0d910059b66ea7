/**
 * A program of its own, started by kubeconfig.ts: `node kubeconfig-reader.ts FILE` prints as JSON how the API server of
 * the current context is reached.
 */
import { readPlain } from "./plain-kubeconfig.ts";

try {
  const path = process.argv[2] ?? "";
  const read = readPlain(path) ?? (await (await import("./any-kubeconfig.ts")).readAny(path));
  process.stdout.write(JSON.stringify(read));
} catch (error) {
  process.stderr.write(`${(error as Error).message.trim().replaceAll("\n", " ")}\n`);
  process.exitCode = 1;
}
