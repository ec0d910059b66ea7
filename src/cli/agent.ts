/** `overland agent`: runs until it is told to stop. */
import { SETTINGS } from "../config/agent-settings.ts";
import { loadAgentConfig } from "../config/config-file.ts";
import { Failure } from "./failure.ts";
import { flagsOf, type OptionValues } from "./options.ts";
import { version } from "./version.ts";

/** A stop takes no longer than this, whatever still hangs. */
const STOP_MS = 5000;

export async function runAgent(options: OptionValues): Promise<void> {
  const loaded = loadAgentConfig(flagsOf(options, SETTINGS), options["config"] as string | undefined);
  if ("faults" in loaded) throw new Failure(loaded.faults.join("\n"), 2);
  // Listened for from the start: a signal while starting stops the agent when it has started.
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
  });
  const { startAgent } = await import("../agent/compose.ts");
  const running = await startAgent(loaded.config, version()).catch((error: Error) => {
    throw new Failure(`the agent cannot start: ${error.message}`, 2);
  });
  await told;
  setTimeout(() => process.exit(1), STOP_MS).unref();
  await running.stop();
}
