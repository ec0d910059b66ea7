/** How a benchmark ends: with a figure, or with a sentence and an exit code. */

/** The machine or the command line is not fit: told in one sentence. */
export class Refusal extends Error {}
export class Interrupted extends Error {}

/** Exit code of the work: 130 when it was interrupted, 2 for a {@link Refusal} or a faulty option, 1 for a failure. */
export async function exitCodeOf(name: string, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) return 130;
    const { code, message } = error as { code?: string; message: string };
    console.error(`bench ${name}: ${message}`);
    return error instanceof Refusal || code?.startsWith("ERR_PARSE_ARGS") === true ? 2 : 1;
  }
}
