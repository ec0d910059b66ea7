/** CNI errors: the object a plugin prints on stdout when it fails (CNI spec 1.1.0, section "Error"). */

/** Codes below 100 are the specification's own. */
export const CniCode = {
  IncompatibleVersion: 1,
  UnsupportedField: 2,
  UnknownContainer: 3,
  InvalidEnvironment: 4,
  IoFailure: 5,
  Undecodable: 6,
  InvalidConfig: 7,
  TryAgainLater: 11,
  PluginNotAvailable: 50,
  /** Ours: the network or the address space cannot serve the pod as things are. */
  NoAddress: 101,
  WiringFailed: 102,
  CheckFailed: 103,
} as const;

export class CniFault extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = "") {
    super(message);
    this.name = "CniFault";
    this.code = code;
    this.details = details;
  }
}

export function faultDocument(cniVersion: string, fault: CniFault): string {
  const { code, message: msg, details } = fault;
  return JSON.stringify({ cniVersion, code, msg, ...(details === "" ? {} : { details }) });
}
