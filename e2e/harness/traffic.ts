/** Traffic between the lab's machines: single pings, and steady streams that must not lose a packet. */
import { spawn } from "node:child_process";
import { inside, run } from "./command.ts";
import { eventually } from "./wait.ts";

/** One packet, waited for at most a second. */
export async function answers(from: string, address: string): Promise<boolean> {
  return (await run(["ping", "-n", "-c", "1", "-W", "1", address], { netns: from, timeoutMs: 3000 })).code === 0;
}

export async function reaches(from: string, addresses: readonly string[], seconds = 5): Promise<void> {
  for (const address of addresses) {
    await eventually(`${from} reaches ${address}`, seconds, () => answers(from, address));
  }
}

export interface Stream {
  /** Ends the stream; throws if any packet was lost or too few were sent to mean something. */
  lostNothing(): Promise<void>;
}

/** 50 packets a second to each address until ended. Resolves when every address has answered once. */
export async function stream(from: string, addresses: readonly string[]): Promise<Stream> {
  const runs = addresses.map((address) => startPing(from, address));
  await eventually(`${from} reaches ${addresses.join(" and ")}`, 5, () =>
    runs.every(({ said }) => /icmp_seq=1 .*time=/.test(said())),
  );
  return {
    async lostNothing() {
      // What was waited for may have come in no time.
      const enough = () => runs.every(({ said }) => /icmp_seq=\d\d/.test(said()));
      await eventually("ten packets have come back", 5, enough).catch(() => undefined);
      const texts = await Promise.all(runs.map((one) => one.end()));
      const faults = texts.map((text, i) => faultOf(text, addresses[i] ?? "")).filter((fault) => fault !== "");
      if (faults.length > 0) throw new Error(`from ${from}: ${faults.join("; ")}`);
    },
  };
}

function startPing(from: string, address: string) {
  const [file = "", ...args] = inside(from, ["ping", "-n", "-i", "0.02", address]);
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => (text += String(chunk)));
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    said: () => text,
    async end(): Promise<string> {
      child.kill("SIGINT");
      await closed;
      return text;
    },
  };
}

/**
 * What was sent in the last moment could not come back any more: two unanswered packets at the very end are no loss.
 */
function faultOf(text: string, address: string): string {
  const seen = new Set([...text.matchAll(/icmp_seq=(\d+) .*time=/g)].map(([, sequence]) => Number(sequence)));
  const sent = Number(/(\d+) packets transmitted/.exec(text)?.[1] ?? 0);
  const last = Math.max(0, ...seen);
  const lost = Array.from({ length: last }, (_, i) => i + 1).filter((sequence) => !seen.has(sequence));
  if (sent < 10) return `${address}: only ${sent} packets were sent`;
  if (sent - last > 2) return `${address}: nothing came back after packet ${last} of ${sent}`;
  return lost.length === 0 ? "" : `${address}: ${lost.length} of ${sent} packets lost, the first was ${lost[0]}`;
}
