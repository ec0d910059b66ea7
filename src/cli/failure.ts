/** Why a command could not do what it was asked, in words for the person who asked. */
export class Failure extends Error {
  /** 1: tried and failed. 2: asked wrongly, or this machine is not fit. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.name = "Failure";
    this.exitCode = exitCode;
  }
}
