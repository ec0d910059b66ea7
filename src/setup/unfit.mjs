/**
 * The machine is not fit, or installing failed: one sentence that says what to do. Exit code 2, or that of a signal.
 */
export class Unfit extends Error {
  constructor(message, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
