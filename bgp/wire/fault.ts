/**
 * What is wrong with a received message, as a value that carries its own remedy (RFC 7606 2).
 *
 * A decoder never throws for what a peer sent. `reset` ends the session with a NOTIFICATION, `withdraw` treats the
 * routes of the UPDATE as withdrawn, `discard` drops the attribute and goes on.
 */
export interface Fault {
  readonly action: "reset" | "withdraw" | "discard";
  readonly code: number;
  readonly subcode: number;
  /** Goes into the NOTIFICATION's data field. */
  readonly data: Uint8Array;
  /** For the operator: what was wrong, with the numbers. */
  readonly text: string;
  /** The attribute it is about, where it is about one: for the counters. */
  readonly attribute?: string;
}

const NO_DATA = new Uint8Array(0);

export function resetFault(code: number, subcode: number, text: string, data: Uint8Array = NO_DATA): Fault {
  return { action: "reset", code, subcode, data, text };
}

export function isFault(value: object): value is Fault {
  return "action" in value;
}
