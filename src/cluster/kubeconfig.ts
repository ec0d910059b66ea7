/**
 * Credentials from a kubeconfig: certificates, tokens, and with all that @kubernetes/client-node knows exec plugins and
 * OIDC. It is read in a child process (kubeconfig-reader.ts), because client-node takes 85 MB that a process never
 * gives back.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Access, Credentials } from "./credentials.ts";

/** What the child prints. */
export interface ReadKubeconfig extends Omit<Access, "server"> {
  readonly server: string;
  /** The token is in this file, which somebody renews. */
  readonly tokenFile?: string;
}

/** An exec plugin may ask a server far away. */
const READ_WITHIN_MS = 30_000;
/** Between two readings that the server's 401 asks for: what is wrong in the file stays wrong. */
const AGAIN_MS = 5_000;
const OUTPUT_BYTES = 4 << 20;

export class Kubeconfig implements Credentials {
  readonly #path: string;
  readonly #now: () => number;
  #reading: Promise<ReadKubeconfig> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, now = () => performance.now()) {
    this.#path = path;
    this.#now = now;
  }

  async current(): Promise<Access> {
    this.#reading ??= this.#read();
    const { server, tls, headers, tokenFile } = await this.#reading;
    const token = tokenFile === undefined ? undefined : textOf(tokenFile);
    return {
      server: new URL(server),
      tls,
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
    };
  }

  refused(): void {
    if (this.#now() - this.#readAt > AGAIN_MS) this.#reading = undefined;
  }

  async #read(): Promise<ReadKubeconfig> {
    this.#readAt = this.#now();
    try {
      return JSON.parse(await inChild(this.#path)) as ReadKubeconfig;
    } catch (error) {
      this.#reading = undefined;
      throw new Error(`kubeconfig ${this.#path} cannot be used: ${(error as Error).message}`, { cause: error });
    }
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Error(`the token's file cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function inChild(path: string): Promise<string> {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const reader = fileURLToPath(new URL(`./kubeconfig-reader.${ending}`, import.meta.url));
  const options = { timeout: READ_WITHIN_MS, maxBuffer: OUTPUT_BYTES };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--no-warnings", reader, path], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim().split("\n").at(-1);
      reject(new Error(error.killed === true ? "no answer in time" : said || error.message));
    }).stdin?.end();
  });
}
