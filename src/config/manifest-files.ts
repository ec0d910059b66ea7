/** Resource files from disk: a file, a directory of them, or standard input. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "./fault.ts";
import { duplicateFaults, type Manifests, readManifests, type SourcedResource } from "./manifest.ts";
import { MAX_LENGTH } from "./yaml.ts";

/** Cut here, a longer file is still too long for the reader, which says so. */
const MAX_OCTETS = MAX_LENGTH * 4;

/** Reads all of the paths (`-` is standard input), and faults of all of them. Never throws. */
export function readManifestFiles(paths: readonly string[]): Manifests {
  const faults: Fault[] = [];
  const sourced: SourcedResource[] = [];
  for (const path of paths) {
    for (const file of filesOf(path, faults)) {
      const text = readText(file, faults);
      if (text === undefined) continue;
      const read = readManifests(text, file === "-" ? "<stdin>" : file);
      faults.push(...read.faults);
      sourced.push(...read.sourced);
    }
  }
  // Within one file they were found already.
  const known = new Set(faults.map(({ file, line }) => `${file}:${line}`));
  faults.push(...duplicateFaults(sourced).filter(({ file, line }) => !known.has(`${file}:${line}`)));
  return { resources: sourced.map(({ resource }) => resource), sourced, faults };
}

/** A path's text as UTF-8, or undefined and a fault. */
export function readText(file: string, faults: Fault[]): string | undefined {
  const say = (message: string) => {
    faults.push({ file: file === "-" ? "<stdin>" : file, line: 0, field: "", message });
    return undefined;
  };
  let octets: Buffer;
  try {
    octets = readOctets(file);
  } catch (error) {
    return say(readFault(error as NodeJS.ErrnoException));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets, { stream: octets.length > MAX_OCTETS });
  } catch {
    return say("is not UTF-8 text");
  }
}

function readOctets(file: string): Buffer {
  const fd = file === "-" ? 0 : openSync(file, "r");
  try {
    const parts: Buffer[] = [];
    // One octet more than is taken: the reader then says that it is too much. A device may have no end.
    for (let size = 0; size <= MAX_OCTETS; ) {
      const part = Buffer.alloc(64 * 1024);
      const count = readSome(fd, part);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      size += count;
    }
    return Buffer.concat(parts);
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

function readSome(fd: number, part: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, part);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      // Standard input that somebody set to not wait, and nothing there yet.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function filesOf(path: string, faults: Fault[]): string[] {
  if (path === "-" || !isDirectory(path)) return [path];
  try {
    const names = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name));
    if (names.length === 0)
      faults.push({ file: path, line: 0, field: "", message: "holds no .yaml, .yml or .json file" });
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    faults.push({ file: path, line: 0, field: "", message: readFault(error as NodeJS.ErrnoException) });
    return [];
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Reading it says what is wrong.
    return false;
  }
}

function readFault(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
      return "does not exist";
    case "EACCES":
      return "cannot be read: permission denied";
    case "EISDIR":
      return "is a directory";
    default:
      return `cannot be read: ${error.message}`;
  }
}
