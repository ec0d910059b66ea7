/** A fault in a file: where it is and what to do about it. */
export interface Fault {
  readonly file: string;
  /** From 1; 0 when the fault is the file's as a whole. */
  readonly line: number;
  /** `spec.bgp.asNumber`; empty when no single field is at fault. */
  readonly field: string;
  readonly message: string;
}

/** `file:line: field: message`. */
export function faultText(fault: Fault): string {
  const place = fault.line > 0 ? `${fault.file}:${fault.line}` : fault.file;
  return fault.field === "" ? `${place}: ${fault.message}` : `${place}: ${fault.field}: ${fault.message}`;
}
