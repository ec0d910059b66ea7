/** One calm line per event: the seconds since the start, who, what. Colour only where a person looks on. */

export interface Progress {
  /** An event. `who` is a short name in the left column. */
  say(who: string, what: string): void;
  /** A heading of a new act. */
  act(title: string): void;
  /** A proof's outcome. */
  proof(held: boolean, name: string, detail: string): void;
  /** Only with -v. */
  detail(who: string, what: string): void;
}

export interface ProgressOptions {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  readonly verbose: boolean;
  readonly now: () => number;
}

const CODES = { dim: 2, bold: 1, green: 32, red: 31, cyan: 36 } as const;

export function createProgress(options: ProgressOptions): Progress {
  const started = options.now();
  const paint = (style: keyof typeof CODES, text: string) =>
    options.colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  const clock = () => paint("dim", `${((options.now() - started) / 1000).toFixed(1).padStart(6)} s`);
  const line = (who: string, what: string) => options.write(`${clock()}  ${paint("cyan", who.padEnd(9))} ${what}\n`);
  return {
    say: line,
    act: (title) => options.write(`\n${paint("bold", title)}\n`),
    proof: (held, name, detail) => {
      const mark = held ? paint("green", "proved   ") : paint("red", "NOT SO   ");
      options.write(`${clock()}  ${mark} ${name}${detail === "" ? "" : paint("dim", `  (${detail})`)}\n`);
    },
    detail: (who, what) => {
      if (options.verbose) line(who, paint("dim", what));
    },
  };
}

/** The usual one: standard output; a closed terminal is no reason to fail. */
export function terminalProgress(verbose: boolean): Progress {
  return createProgress({
    write: (text) => process.stdout.write(text),
    colour: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
    verbose,
    now: () => performance.now(),
  });
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

/** "1 node", "2 nodes", "2 processes". */
export function count(number: number, word: string): string {
  const ending = number === 1 ? "" : word.endsWith("s") ? "es" : "s";
  return `${number} ${word}${ending}`;
}
