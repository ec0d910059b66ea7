/** A capture on a ToR's port, and its judgement: the flows went by bare, and nothing on the wire was a tunnel. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { labPaths } from "./paths.ts";
import { type CapturedPacket, readCapture } from "./pcap.ts";
import { isRunning } from "./proc.ts";
import { kill, logFile, start } from "./processes.ts";
import type { ProcessRecord } from "./state.ts";
import { until } from "./wait.ts";

/** A conversation that must be seen with its own addresses, there and back. */
export interface Flow {
  readonly name: string;
  readonly source: string;
  readonly destination: string;
}

export interface CaptureJudgement {
  readonly packets: number;
  /** Flows not seen in both directions. */
  readonly missing: readonly string[];
  /** What looks like a tunnel, in words. */
  readonly tunnels: readonly string[];
}

const TUNNEL_PROTOCOLS = new Map([
  [4, "IP in IP"],
  [41, "IPv6 in IP"],
  [47, "GRE"],
  [50, "ESP"],
  [51, "AH"],
  [115, "L2TP"],
]);

const TUNNEL_PORTS = new Map([
  [4789, "VXLAN"],
  [8472, "VXLAN (Linux's old port)"],
  [6081, "Geneve"],
  [4500, "ESP in UDP"],
  [51820, "WireGuard"],
  [51821, "WireGuard"],
]);

/** ICMP, TCP and ICMPv6 directly behind the outermost header are what the lab's own traffic must look like. */
const BARE_PROTOCOLS = new Set([1, 6, 58]);

export function judgeCapture(packets: readonly CapturedPacket[], flows: readonly Flow[]): CaptureJudgement {
  const seen = new Set(
    packets
      .filter(({ protocol }) => BARE_PROTOCOLS.has(protocol))
      .map((packet) => `${packet.source} ${packet.destination}`),
  );
  const bothWays = ({ source, destination }: Flow) =>
    seen.has(`${source} ${destination}`) && seen.has(`${destination} ${source}`);
  return {
    packets: packets.length,
    missing: flows.filter((flow) => !bothWays(flow)).map((flow) => flow.name),
    tunnels: [...new Set(packets.flatMap((packet) => tunnelName(packet) ?? []))],
  };
}

function tunnelName({ protocol, sourcePort, destinationPort }: CapturedPacket): string | undefined {
  if (protocol !== 17) return TUNNEL_PROTOCOLS.get(protocol);
  return TUNNEL_PORTS.get(destinationPort ?? 0) ?? TUNNEL_PORTS.get(sourcePort ?? 0);
}

export interface RunningCapture {
  readonly file: string;
  readonly record: ProcessRecord;
}

/** Starts tcpdump and waits until it listens: a capture that begins late proves nothing. */
export async function startCapture(
  where: { readonly lab: string; readonly netns: string; readonly interface: string },
  signal: AbortSignal,
): Promise<RunningCapture> {
  const name = `capture-${where.interface}`;
  const file = `${labPaths(where.lab).run}/${name}.pcap`;
  const options = ["-n", "-U", "--immediate-mode", "-s", "128", "-Z", "root", "-w", file];
  const command = ["tcpdump", "-i", where.interface, ...options];
  const record = start({ lab: where.lab, name, netns: where.netns, command });
  await until(async () => (/listening on/.test(readFileSync(logFile(where.lab, name), "utf8")) ? true : undefined), {
    what: `tcpdump listens on ${where.interface}`,
    timeoutMs: 5000,
    signal,
  });
  return { file, record };
}

export async function endCapture(capture: RunningCapture): Promise<CapturedPacket[]> {
  kill(capture.record, "SIGINT");
  for (let turn = 0; turn < 100 && isRunning(capture.record); turn++) await sleep(20);
  kill(capture.record, "SIGKILL");
  return readCapture(readFileSync(capture.file));
}
