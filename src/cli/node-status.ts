/** `overland node status`: the BGP sessions of this node, with the columns of calicoctl. */
import type { DrainStatus } from "../agent/node-drain.ts";
import { askAgent } from "./agent-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { clientConfig } from "./session.ts";
import { type Column, table } from "./table.ts";
import { paint, print } from "./terminal.ts";

/** The part of the agent's answer that is shown. */
interface Status {
  readonly node: string;
  readonly asNumber: number;
  readonly routerID: string;
  readonly ready: boolean;
  readonly notReady?: readonly string[];
  /** What was asked for and cannot be, in words. */
  readonly problems?: readonly string[];
  /** There while somebody wants the node away. */
  readonly drain?: DrainStatus;
  readonly peers: readonly Peer[];
  readonly blocks?: readonly string[];
  readonly routes?: { readonly installed: number };
}

interface Peer {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly asNumber: number;
  readonly state: string;
  readonly since?: string;
  readonly lastError?: string;
  readonly received?: Counts;
  readonly advertised?: Counts;
}

interface Counts {
  readonly ipv4?: number;
  readonly ipv6?: number;
}

/** As JSON a failure is a document too: `{"error": "…"}`. */
export async function nodeStatus(options: OptionValues): Promise<void> {
  const asJson = options["output"] === "json";
  try {
    const status = await askStatus(clientConfig(options).socket);
    print(asJson ? `${JSON.stringify(status, null, 2)}\n` : statusText(status));
  } catch (error) {
    if (asJson && error instanceof Failure) print(`${JSON.stringify({ error: error.message }, null, 2)}\n`);
    throw error;
  }
}

async function askStatus(socket: string): Promise<Status> {
  const answer = await askAgent(socket, "/v1/status");
  if (isStatus(answer)) return answer;
  if ((answer as { program?: unknown } | null)?.program === "speaker") {
    const instead = `overland bgp peers --socket ${socket}`;
    throw new Failure(`what listens at ${socket} is a speaker without an agent; ask for its sessions with ${instead}`);
  }
  throw new Failure(`what listens at ${socket} is not an Overland agent: it says nothing about peers`);
}

export function statusText(status: Status): string {
  const ready = status.ready ? paint("green", "ready") : paint("yellow", "not ready");
  const lines = [`Node ${status.node}, AS ${status.asNumber}, router ID ${status.routerID}: ${ready}`];
  for (const reason of status.notReady ?? []) lines.push(`  ${reason}`);
  if (status.drain !== undefined) lines.push(paint("yellow", drainText(status.drain)));
  for (const problem of status.problems ?? []) lines.push(`Problem: ${problem}`);
  if (status.blocks !== undefined) lines.push(`Blocks: ${status.blocks.join(", ") || "none"}`);
  if (status.routes !== undefined) lines.push(`Routes in the kernel: ${status.routes.installed}`);
  for (const [family, isOf] of [
    ["IPv4", isIPv4],
    ["IPv6", isIPv6],
  ] as const) {
    const peers = status.peers.filter(({ address }) => isOf(address));
    lines.push("", `${family} BGP status`);
    lines.push(peers.length === 0 ? `No ${family} peers found.` : table(COLUMNS, peers).trimEnd());
  }
  return `${lines.join("\n")}\n`;
}

function drainText({ phase, by, message, pods }: DrainStatus): string {
  const waits = pods.length === 0 ? "" : `, waits for ${pods.join(", ")}`;
  return `Drained (${phase}${waits}), by ${by ?? "nobody"}: ${message ?? ""}`;
}

const COLUMNS: readonly Column<Peer>[] = [
  { title: "PEER ADDRESS", cell: ({ address }) => address },
  { title: "PEER TYPE", cell: ({ type }) => type },
  { title: "AS", cell: ({ asNumber }) => asNumber },
  { title: "STATE", cell: ({ state }) => (state === "Established" ? paint("green", "up") : paint("yellow", "start")) },
  { title: "SINCE", cell: ({ since }) => since?.replace("T", " ").replace(/(\.\d+)?Z$/, "") },
  { title: "RECEIVED", cell: ({ received }) => countsText(received) },
  { title: "ADVERTISED", cell: ({ advertised }) => countsText(advertised) },
  { title: "INFO", cell: infoText },
];

function infoText({ state, lastError }: Peer): string {
  return state === "Established" || (lastError ?? "") === "" ? state : `${state}: ${lastError}`;
}

/** Routes of both families, which one session carries: `3 + 2`, IPv4 first. */
function countsText(counts: Counts | undefined): string {
  return `${counts?.ipv4 ?? 0} + ${counts?.ipv6 ?? 0}`;
}

function isIPv6(address: string): boolean {
  return address.includes(":");
}

function isIPv4(address: string): boolean {
  return !isIPv6(address);
}

function isStatus(answer: unknown): answer is Status {
  const { node, peers } = (answer ?? {}) as Partial<Status>;
  return typeof node === "string" && Array.isArray(peers);
}
