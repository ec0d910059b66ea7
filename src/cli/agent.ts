/** `overland agent`: runs until it is told to stop; SIGTERM leaves routes and pods as they are. */
import { SETTINGS } from "../config/agent-settings.ts";
import { loadAgentConfig } from "../config/config-file.ts";
import { Failure } from "./failure.ts";
import { flagsOf, type OptionValues } from "./options.ts";

export async function runAgent(options: OptionValues): Promise<void> {
  if (process.getuid?.() !== 0) throw new Failure("the agent needs root: it writes routes and wires pods", 2);
  const loaded = loadAgentConfig(flagsOf(options, SETTINGS), options["config"] as string | undefined);
  if ("faults" in loaded) throw new Failure(loaded.faults.join("\n"), 2);
  const { startAgent } = await import("../agent/compose.ts");
  const agent = await startAgent(loaded.config).catch((error: Error) => {
    throw new Failure(`the agent cannot start: ${error.message}`);
  });
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
  await agent.stop();
  // Timers and sockets of libraries must not keep a stopped agent alive.
  process.exit(0);
}
