/**
 * A file of the host written whole or not at all: a runtime that looks meanwhile sees the old one or the new one, and a
 * machine that loses power has one of the two.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** What could not be done to a file of the host, in words for the person who has to put it right. */
export class HostFileError extends Error {
  constructor(path: string, error: unknown) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    super(`${path}: ${CURES[code] ?? message}`);
    this.name = "HostFileError";
  }
}

const CURES: Readonly<Record<string, string>> = {
  EROFS: "is on a read-only file system; mount the host's directory writable, or name another one",
  EACCES: "may not be written; run as root, and in a container without a confining SELinux or AppArmor profile",
  EPERM: "may not be written; run as root, and look for an immutable flag (lsattr)",
  ENOSPC: "cannot be written: no space is left on the device",
  EDQUOT: "cannot be written: the quota is used up",
  ENOTDIR: "cannot be written: a part of its path is a file; name a directory",
  EISDIR: "is a directory; remove it, or name another path",
};

export type Replaced = "created" | "changed" | "unchanged";

/**
 * Makes the directory where it is missing. The temporary file is beside it: a rename goes no further than a file
 * system, and no runtime takes a file for a plugin or a network that starts with a dot and ends with a number.
 */
export function replaceFile(path: string, content: Uint8Array | string, mode: number): Replaced {
  const wanted = Buffer.from(content);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    const before = contentOf(path);
    if (before !== undefined && before.equals(wanted) && (statSync(path).mode & 0o777) === mode) return "unchanged";
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(temporary, "w", mode);
    try {
      writeFileSync(file, wanted);
      // Whatever the umask took away.
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncDirectory(dirname(path));
    return before === undefined ? "created" : "changed";
  } catch (error) {
    discard(temporary);
    throw new HostFileError(path, error);
  }
}

/** False: there was none. */
export function removeFile(path: string): boolean {
  try {
    if (contentOf(path) === undefined) return false;
    rmSync(path);
    syncDirectory(dirname(path));
    return true;
  } catch (error) {
    throw new HostFileError(path, error);
  }
}

/** Undefined: there is none. */
export function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function discard(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {
    // What kept it from being written may keep it from being removed; the first fault is the one to tell.
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
