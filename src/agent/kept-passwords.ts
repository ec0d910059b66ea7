/**
 * Passwords over a restart of the agent while the API server is away: in a file beside the socket, in the machine's
 * memory (/run), for root alone. What the API server says counts as soon as it says something.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Of each Secret, `namespace/name`: base64 by key. */
export type KeptSecrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

const ROOT_ONLY = 0o600;

/** Nothing where there is none, or none that can be read. */
export function readKept(file: string): KeptSecrets {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as unknown;
    return isMapOf(value, (inner) => isMapOf(inner, (text) => typeof text === "string")) ? (value as KeptSecrets) : {};
  } catch {
    return {};
  }
}

/** Throws when the directory does not take it. */
export function writeKept(file: string, secrets: KeptSecrets): void {
  if (Object.keys(secrets).length === 0) return rmSync(file, { force: true });
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, JSON.stringify(secrets), { mode: ROOT_ONLY, flag: "wx" });
  renameSync(fresh, file);
}

function isMapOf(value: unknown, check: (inner: unknown) => boolean): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(check);
}
