/**
 * Whose a node's name is. Two agents of one name cannot give an address twice, the revisions see to that; but each
 * would take the other's addresses for leaks. So the agent's identity is written beside the node's name, and what is a
 * leak is decided only by who has had the name to itself for a while.
 *
 * The identity is of the state directory, made once: an agent that starts again is the same, another machine is not.
 * There is no heartbeat: who finds another's identity writes its own again, so that the other one hears of it, and each
 * read that finds one's own costs nothing. Safe without one: see docs/decisions/node-name-holder.md.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Store } from "../../ipam/store.ts";
import { agentKey } from "../config/resource-keys.ts";

/** Of the state directory. */
export interface Identity {
  readonly id: string;
  /** Pod interfaces that stood when the directory was made. */
  readonly spared: readonly string[];
}

/** @param interfaces host ends of pods that are there now; asked only when the directory is new */
export function readIdentity(stateDir: string, interfaces: () => readonly string[]): Identity & { made: boolean } {
  const file = `${stateDir}/identity.json`;
  try {
    const { id, spared } = JSON.parse(readFileSync(file, "utf8")) as Identity;
    if (typeof id === "string" && Array.isArray(spared)) return { id, spared, made: false };
  } catch {
    // Absent, or cut short by a full disk: made anew, with the caution that a new one asks for.
  }
  const identity = { id: randomUUID(), spared: interfaces() };
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(identity), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return { ...identity, made: true };
}

interface HolderRecord {
  readonly id: string;
  /** Of one run of the agent. */
  readonly run: string;
  readonly host: string;
  readonly pid: number;
}

/** How long the name must be ours alone, in milliseconds: after our own earlier run, and after another machine. */
export interface HolderTerms {
  readonly ownMs: number;
  readonly foreignMs: number;
}

export class NodeHolder {
  readonly #key: string;
  readonly #store: Store;
  readonly #own: HolderRecord;
  readonly #terms: HolderTerms;
  /** Monotonic milliseconds at which the name is ours alone, if nobody writes before. */
  #soleAt: number | undefined;
  #written = false;
  /** The one that wrote over us, and until when it is told of. */
  #rival: { readonly record: HolderRecord; readonly until: number } | undefined;

  constructor(store: Store, node: string, id: string, terms: HolderTerms) {
    this.#key = agentKey(node);
    this.#store = store;
    this.#terms = terms;
    this.#own = { id, run: randomUUID(), host: hostname(), pid: process.pid };
  }

  /** Looks who has the name, and takes it. Throws StoreUnavailable. */
  async look(now: number): Promise<void> {
    const [entry] = await this.#store.get([this.#key]);
    const found = entry && recordOf(entry.value);
    if (found?.run === this.#own.run) {
      this.#written = true;
      this.#soleAt ??= now + this.#terms.foreignMs;
      return;
    }
    const foreign = found !== undefined && found.id !== this.#own.id;
    // After our own last run its requests in flight need a moment; of another machine nobody knows whether it is gone.
    this.#soleAt = now + (foreign ? this.#terms.foreignMs : found === undefined ? 0 : this.#terms.ownMs);
    // Only one that writes over a name we have is known to run: at our start it may be long gone.
    if (this.#written && found !== undefined) this.#rival = { record: found, until: now + this.#terms.foreignMs };
    const put = [{ key: this.#key, value: JSON.stringify(this.#own) }];
    const expect = [{ key: this.#key, modRevision: entry?.modRevision ?? 0n }];
    const committed = await this.#store.commit({ expect, put, delete: [] });
    if (!committed.committed) this.#soleAt = now + this.#terms.foreignMs;
    else this.#written = true;
  }

  /** True: whatever etcd says this node holds, nobody but this agent asked for. */
  isSole(now: number): boolean {
    return this.#soleAt !== undefined && now >= this.#soleAt;
  }

  problems(now: number): string[] {
    if (this.#rival === undefined || now > this.#rival.until) return [];
    const { host, pid, id } = this.#rival.record;
    const where = id === this.#own.id ? `with this state directory (host ${host}, pid ${pid})` : `on host ${host}`;
    return [
      `another agent runs under this node's name, ${where}: give each machine its own nodeName; ` +
        "no leaked address is freed meanwhile",
    ];
  }
}

function recordOf(text: string): HolderRecord | undefined {
  try {
    const { id, run, host, pid } = JSON.parse(text) as HolderRecord;
    return typeof id === "string" && typeof run === "string" ? { id, run, host, pid } : undefined;
  } catch {
    return undefined;
  }
}
