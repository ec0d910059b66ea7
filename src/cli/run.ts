/** Runs one command line and turns every way to end into an exit code: 0 done, 1 failed, 2 asked wrongly. */
import { type Command, CommanderError } from "commander";
import { Failure } from "./failure.ts";
import { note } from "./terminal.ts";

export async function run(program: Command, argv: readonly string[]): Promise<number> {
  exitByThrowing(program);
  try {
    await program.parseAsync(argv);
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    return report(error);
  }
}

/** Every command, since subcommands do not all inherit it. */
function exitByThrowing(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) exitByThrowing(inner);
}

function report(error: unknown): number {
  if (error instanceof Failure) {
    note(error.message);
    return error.exitCode;
  }
  // commander has printed its own message; help and version that were asked for end this way too, with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { message, stack } = error as Error;
  note(`a fault of the program itself: ${message}\n${stack ?? ""}`);
  return 1;
}
