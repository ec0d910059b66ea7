/** Where a command's words go. */
import { styleText } from "node:util";

type Colour = "green" | "yellow" | "red" | "bold";

/** Results, which may be piped: nothing else is ever written there. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") || text === "" ? text : `${text}\n`);
}

/** Faults, notes and hints. */
export function note(text: string): void {
  process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** `1 fault`, `2 faults`. */
export function counted(count: number, noun: string, ending = "s"): string {
  return `${count} ${noun}${count === 1 ? "" : ending}`;
}

/** Coloured only for a person at a terminal who has not set NO_COLOR (no-color.org). */
export function paint(colour: Colour, text: string): string {
  const noColour = (process.env["NO_COLOR"] ?? "") !== "";
  return process.stdout.isTTY && !noColour ? styleText(colour, text, { validateStream: false }) : text;
}

/** `| head` closes the pipe when it has seen enough: that ends the command, and is no fault. */
export function endWhenOutputCloses(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
}
