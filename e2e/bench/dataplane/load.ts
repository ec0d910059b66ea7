/** Measures a way: what iperf3 gets through in a stream, and how many one-byte transactions in a second. */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Refusal } from "../ending.ts";
import type { Commands } from "./commands.ts";
import type { Family, Way } from "./nodes.ts";

export type Kind = "throughput" | "transactions" | "connections";

/**
 * throughput: bit/s; transactions, and connections with a transaction each: a second. Latency is that of the usual
 * transaction, in microseconds: where others take the CPU away now and then, it shows the way's own cost best.
 */
export type Figure = Kind | "latency";
export type Figures = Readonly<Partial<Record<Figure, number>>>;

const PORT = "7777";
/**
 * Others' work on the machine is to disturb as little as may be. Where the scheduler groups by session (autogroup),
 * niceness counts inside the group alone: so the group of the command, a session of its own, is given it too.
 */
const PRECEDENCE = `{ echo -15 > /proc/self/autogroup; } 2> /dev/null; exec nice -n -15 "$@"`;
const FIRST = ["sh", "-c", PRECEDENCE, "first"];
/** A connection that has to be made, sessions that have to come up. */
const GRACE_SECONDS = 20;

export class Load {
  readonly #commands: Commands;
  readonly #program: string;

  constructor(commands: Commands, folder: string) {
    this.#commands = commands;
    this.#program = join(folder, "tcp-transactions");
  }

  build(): void {
    const source = join(import.meta.dirname, "tcp-transactions.c");
    const { status } = spawnSync("gcc", ["-O2", "-Wall", "-Wextra", "-o", this.#program, source], { stdio: "inherit" });
    if (status !== 0) throw new Refusal("tcp-transactions cannot be built");
  }

  /** Starts the servers and waits until the way is open in all families. */
  async open({ mode, client, server, addresses }: Way, families: readonly Family[]): Promise<void> {
    this.#commands.start(server, `${mode}-iperf3`, [...FIRST, ...onCpu(1), "iperf3", "-s"]);
    this.#commands.start(server, `${mode}-transactions`, [...FIRST, ...onCpu(0), this.#program, "-s", PORT]);
    for (const family of families) {
      const command = ["timeout", "2", this.#program, addresses[family], PORT, "0.1"];
      await this.#commands.until(client, `${mode}-transactions`, command);
    }
  }

  async measure({ client, addresses }: Way, family: Family, kind: Kind, seconds: number): Promise<Figures> {
    const limit = { seconds: seconds + GRACE_SECONDS };
    if (kind === "throughput") {
      const command = [...FIRST, ...onCpu(0), "iperf3", "-J", "-t", `${seconds}`, "-c", addresses[family]];
      const result = JSON.parse(await this.#commands.must(client, command, limit)) as {
        end: { sum_received: { bits_per_second: number } };
      };
      return { throughput: result.end.sum_received.bits_per_second };
    }
    const each = kind === "connections" ? ["-c"] : [];
    const command = [...FIRST, ...onCpu(0), this.#program, ...each, addresses[family], PORT, `${seconds}`];
    const text = await this.#commands.must(client, command, limit);
    const { perSecond, p50 } = JSON.parse(text) as { perSecond: number; p50: number };
    return kind === "connections" ? { connections: perSecond } : { transactions: perSecond, latency: p50 };
  }
}

/**
 * Transactions: both ends on one CPU, so that the figure is the cost of the way and not of waking another CPU, which
 * varies tenfold. Streams: an end on each, where there are two.
 */
function onCpu(wanted: 0 | 1): string[] {
  return ["taskset", "-c", `${Math.min(wanted, availableParallelism() - 1)}`];
}
