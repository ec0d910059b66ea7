/** The process that follows, started and looked at from outside. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import type { ApiServer } from "../../harness/api-server.ts";
import { costOf } from "../bgp/processes.ts";
import { Refusal } from "../ending.ts";
import { nodeName, type Size, serviceOf, sliceOf } from "./objects.ts";

export interface Figures {
  /** Until everything is known; beside it a reader that throws away what it reads. */
  readonly synced_seconds: number;
  readonly reading_seconds: number;
  /** Of the process alone. */
  readonly synced_cpu_seconds: number;
  readonly resident_mb: number;
  readonly peak_mb: number;
  /** Before it asks for anything. */
  readonly bare_mb: number;
  readonly idle_percent: number;
  readonly changes_percent: number;
  /** Milliseconds from the change at the server to the listener. */
  readonly told_p50_ms: number;
  readonly told_p99_ms: number;
}

/** What the process prints, a line each. */
export interface Said {
  readonly ready?: true;
  readonly synced?: { readonly seconds: number; readonly objects: number };
  readonly read?: { readonly seconds: number };
  /** Latencies of the changes since the last time, in milliseconds. */
  readonly told?: readonly number[];
}

type Ask = (word?: string) => Promise<Said>;

const PROGRAM = fileURLToPath(new URL("./follow.ts", import.meta.url));
const BUILT = fileURLToPath(new URL("../../../dist/src/cluster", import.meta.url));
const CHANGES_PER_SECOND = 100;
const BATCH = 10;
const PATIENCE_MS = 120_000;

export class Follower {
  readonly #server: ApiServer;
  readonly #size: Size;
  readonly #seconds: number;
  readonly #say: (line: string) => void;

  constructor(server: ApiServer, size: Size, seconds: number, say: (line: string) => void) {
    this.#server = server;
    this.#size = size;
    this.#seconds = seconds;
    this.#say = say;
  }

  async figures(): Promise<Figures> {
    if (!existsSync(`${BUILT}/open.js`)) throw new Refusal("the program is not built: npm run build");
    this.#say("reading and throwing away");
    const reading = await this.#withProcess(async (_, ask) => (await ask("read")).read?.seconds ?? Number.NaN);
    this.#say("following");
    const followed = await this.#withProcess((pid, ask) => this.#measure(pid, ask));
    return { ...followed, reading_seconds: round(reading) };
  }

  async #withProcess<T>(work: (pid: number, ask: Ask) => Promise<T>): Promise<T> {
    const { url, ca, directory } = this.#server;
    const account = `${directory}/account`;
    mkdirSync(account, { recursive: true });
    writeFileSync(`${account}/ca.crt`, ca);
    writeFileSync(`${account}/token`, this.#server.adminToken);
    // As JavaScript, lest what strips the types counts.
    const program = `${directory}/follow.mjs`;
    writeFileSync(program, transformSync(readFileSync(PROGRAM, "utf8"), { loader: "ts", target: "node22" }).code);
    // As the launcher starts the agent.
    const child = spawn(process.execPath, ["--max-semi-space-size=4", program, BUILT, account], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, URL: url, HERE: nodeName(1) },
    });
    try {
      const answers = said(createInterface({ input: child.stdout }));
      const ask = async (word?: string): Promise<Said> => {
        if (word !== undefined) child.stdin.write(`${word}\n`);
        const { value } = await answers.next();
        if (value === undefined) throw new Error("the process that follows has ended");
        return value;
      };
      await ask();
      return await work(child.pid as number, ask);
    } finally {
      child.kill("SIGKILL");
    }
  }

  async #measure(pid: number, ask: Ask): Promise<Omit<Figures, "reading_seconds">> {
    const bare = costOf([pid]);
    const { synced } = await ask("follow");
    const after = costOf([pid]);
    this.#say(`${synced?.objects} objects known; idle for ${this.#seconds} s`);
    // What came with the beginning is over.
    await sleep(3_000);
    const idle = await share(pid, () => sleep(this.#seconds * 1000));
    this.#say(`${CHANGES_PER_SECOND} changes a second for ${this.#seconds} s`);
    const changes = await share(pid, () => this.#change());
    const { told = [] } = await ask("told");
    if (told.length === 0) throw new Error("no change arrived");
    const { residentKb, peakKb } = costOf([pid]);
    const sorted = [...told].sort((a, b) => a - b);
    const at = (part: number) => round(sorted[Math.floor((sorted.length - 1) * part)] as number);
    return {
      synced_seconds: round(synced?.seconds ?? Number.NaN),
      synced_cpu_seconds: round(after.cpu - bare.cpu),
      resident_mb: Math.round(residentKb / 1024),
      peak_mb: Math.round(peakKb / 1024),
      bare_mb: Math.round(bare.residentKb / 1024),
      idle_percent: round(idle),
      changes_percent: round(changes),
      told_p50_ms: at(0.5),
      told_p99_ms: at(0.99),
    };
  }

  /** Slices mostly, as in real clusters; each says when it was changed. */
  async #change(): Promise<void> {
    const pauseMs = (1000 * BATCH) / CHANGES_PER_SECOND;
    const began = performance.now();
    for (let n = 0; n * pauseMs < this.#seconds * 1000; n++) {
      await sleep(Math.max(0, began + n * pauseMs - performance.now()));
      const changed = Array.from({ length: BATCH }, (_, i) => this.#changed(n * BATCH + i));
      const at = String(process.hrtime.bigint());
      for (const { metadata } of changed) metadata.annotations = { ...metadata.annotations, "example.net/at": at };
      await this.#server.put(...changed);
    }
  }

  #changed(n: number) {
    const service = (n * 37) % this.#size.services;
    const object = n % 5 === 0 ? serviceOf(service, this.#size, n + 1) : sliceOf(service, n % 4, this.#size, n + 1);
    return object as { metadata: { annotations?: Record<string, string> } };
  }
}

/** Percent of one core, over the time of some work. */
async function share(pid: number, work: () => Promise<unknown>): Promise<number> {
  const [began, before] = [performance.now(), costOf([pid]).cpu];
  await work();
  return ((costOf([pid]).cpu - before) * 100_000) / (performance.now() - began);
}

async function* said(lines: Interface): AsyncGenerator<Said, undefined> {
  const late = setTimeout(() => lines.close(), PATIENCE_MS);
  for await (const line of lines) yield JSON.parse(line) as Said;
  clearTimeout(late);
  return undefined;
}

const round = (value: number): number => Number(value.toPrecision(3));
