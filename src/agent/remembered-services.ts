/**
 * Single service addresses that this node announces, on disk: an agent that starts again while the API server is away
 * goes on announcing them. Only within one boot of the machine: after it kube-proxy knows nothing either.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { formatPrefix, parsePrefix } from "../../ipam/net/prefix.ts";
import { communityFault } from "../config/schema/fields.ts";
import type { ServicePrefix } from "../services/services.ts";

interface Written {
  readonly boot: string;
  readonly addresses: readonly { readonly prefix: string; readonly communities: readonly string[] }[];
}

const fileIn = (stateDir: string) => `${stateDir}/services.json`;

/** Empty where there is no such file, or it is of another boot, or cut short. */
export function readRemembered(stateDir: string, boot = bootId()): ServicePrefix[] {
  try {
    const written = JSON.parse(readFileSync(fileIn(stateDir), "utf8")) as Written;
    if (written.boot !== boot || boot === "") return [];
    return written.addresses.flatMap(({ prefix: text, communities }) => {
      const prefix = parsePrefix(text);
      const whole = prefix !== undefined && communities.every((value) => communityFault(value) === undefined);
      return whole ? [{ ...prefix, communities }] : [];
    });
  } catch {
    return [];
  }
}

/** Throws when the disk does not take it. */
export function writeRemembered(stateDir: string, addresses: readonly ServicePrefix[], boot = bootId()): void {
  const written: Written = {
    boot,
    addresses: addresses.map((prefix) => ({ prefix: formatPrefix(prefix), communities: prefix.communities })),
  };
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = fileIn(stateDir);
  writeFileSync(`${file}.new`, JSON.stringify(written), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** "" where the kernel does not say. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
