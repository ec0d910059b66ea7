/** `overland bgp peers` and `overland bgp peer PEER`. */
import type { FamilyCounts, MessageCounts, PeerSummary, PeerView } from "../../bgp/inspect/types.ts";
import { ask } from "./bgp-client.ts";
import type { OptionValues } from "./options.ts";
import { type Column, table } from "./table.ts";
import { counted, note, paint, print } from "./terminal.ts";

export async function bgpPeers(options: OptionValues): Promise<void> {
  const answer = await ask<{ peers: readonly PeerSummary[] }>(options, { path: "/v1/bgp/peers" });
  if (options["output"] === "json") return print(`${JSON.stringify(answer, null, 2)}\n`);
  if (answer.peers.length === 0) return note("there are no peers");
  print(peersText(answer.peers));
}

export async function bgpPeer(peer: string, options: OptionValues): Promise<void> {
  const answer = await ask<PeerView>(options, { path: `/v1/bgp/peers/${encodeURIComponent(peer)}` });
  if (options["output"] === "json") return print(`${JSON.stringify(answer, null, 2)}\n`);
  print(peerText(answer));
}

/** A row a peer and family: counts are of a family, and a peer without a session has none. */
export function peersText(peers: readonly PeerSummary[]): string {
  const rows = peers.flatMap((peer): Row[] => {
    const [first, ...others] = peer.families;
    return [{ peer, counts: first, first: true }, ...others.map((counts) => ({ peer, counts, first: false }))];
  });
  return table(COLUMNS, rows);
}

interface Row {
  readonly peer: PeerSummary;
  readonly counts: FamilyCounts | undefined;
  /** Only the first row of a peer says who it is. */
  readonly first: boolean;
}

const once = (cell: (peer: PeerSummary) => string | number) => (row: Row) => (row.first ? cell(row.peer) : " ");
const count = (cell: (counts: FamilyCounts) => number) => (row: Row) =>
  row.counts === undefined ? "-" : cell(row.counts);

const COLUMNS: readonly Column<Row>[] = [
  { title: "PEER", cell: once(({ name }) => name) },
  { title: "ADDRESS", cell: once(({ address }) => address) },
  { title: "AS", cell: once(({ asNumber }) => asNumber), right: true },
  { title: "STATE", cell: once(stateText) },
  { title: "SINCE", cell: once(({ uptime }) => durationText(uptime)), right: true },
  { title: "FAMILY", cell: ({ counts }) => counts?.family ?? "-" },
  { title: "RECEIVED", cell: count(({ received }) => received), right: true },
  { title: "ACCEPTED", cell: count(({ accepted }) => accepted), right: true },
  { title: "BEST", cell: count(({ best }) => best), right: true },
  { title: "ADVERTISED", cell: count(({ advertised }) => advertised), right: true },
  { title: "LAST ERROR", cell: once(({ lastError }) => (lastError === "" ? "-" : lastError)) },
];

function stateText({ state, enabled }: PeerSummary): string {
  if (state === "Established") return paint("green", state);
  return enabled ? paint("yellow", state) : paint("yellow", `${state} (shut down)`);
}

/** `12s`, `3m20s`, `5h07m`, `12d03h`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m${two(whole % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

export function peerText(peer: PeerView): string {
  const lines = [
    `${peer.name}: ${peer.address} port ${peer.port}, AS ${peer.asNumber}, ${peer.type}`,
    `  ${stateText(peer)} for ${durationText(peer.uptime)} (since ${peer.since})`,
    `  established ${counted(peer.established, "time")}`,
    `  local AS ${peer.localASNumber}, router ID ${peer.routerID}${said("address", peer.localAddress)}`,
    ...(peer.lastError === "" ? [] : [`  last error: ${peer.lastError}`]),
    ...(peer.roles.length === 0 ? [] : [`  ${peer.roles.join(", ")}`]),
    ...sessionLines(peer),
    ...list("capabilities sent", peer.capabilities.sent),
    ...list("capabilities received", peer.capabilities.received),
    "",
    messagesText(peer.messages.received, peer.messages.sent).trimEnd(),
    ...(peer.families.length === 0 ? [] : ["", table(FAMILY_COLUMNS, peer.families).trimEnd()]),
    ...policyLines(peer),
    ...list(
      "errors in UPDATEs (RFC 7606)",
      peer.errors.map(({ attribute, action, count: times }) => `${attribute}: ${action}, ${counted(times, "time")}`),
    ),
    ...list(
      "last notifications",
      peer.notifications.map(({ at, direction, text }) => `${at} ${direction} ${text}`),
    ),
    ...restartLines(peer),
  ];
  return `${lines.join("\n")}\n`;
}

function said(what: string, value: string | undefined): string {
  return value === undefined ? "" : `, ${what} ${value}`;
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : ["", `  ${title}:`, ...items.map((item) => `    ${item}`)];
}

function sessionLines({ timers, negotiated }: PeerView): string[] {
  const running = timers.running.map(({ timer, in: seconds }) => `${timer} in ${Math.max(0, Math.round(seconds))} s`);
  const lines = [
    `  configured: hold time ${timers.holdTime} s, keepalive ${timers.keepaliveTime ?? "a third of it"}, ` +
      `connect retry ${timers.connectRetryTime} s`,
    ...(running.length === 0 ? [] : [`  timers: ${running.join(", ")}`]),
  ];
  if (negotiated === undefined) return lines;
  const { families, addPathSend, addPathReceive } = negotiated;
  const words = [
    `hold time ${negotiated.holdTime} s, keepalive ${round(negotiated.keepaliveTime)} s`,
    families.join(" "),
    `${negotiated.asOctets}-octet AS numbers`,
    `messages up to ${negotiated.maxMessageLength}`,
    ...(negotiated.enhancedRefresh ? ["enhanced route refresh"] : negotiated.routeRefresh ? ["route refresh"] : []),
    ...(addPathSend.length > 0 ? [`add-path send ${addPathSend.join(" ")}`] : []),
    ...(addPathReceive.length > 0 ? [`add-path receive ${addPathReceive.join(" ")}`] : []),
    ...(negotiated.extendedNextHop ? ["extended next hop"] : []),
    ...(negotiated.role === undefined ? [] : [`our role ${negotiated.role}`]),
  ];
  return [...lines, `  negotiated: ${words.join(", ")}; peer's router ID ${negotiated.peerRouterID}`];
}

const MESSAGES = ["open", "update", "notification", "keepalive", "routeRefresh", "total"] as const;

function messagesText(received: MessageCounts, sent: MessageCounts): string {
  const rows = [
    { title: "received", counts: received },
    { title: "sent", counts: sent },
  ];
  return table(
    [
      { title: "MESSAGES", cell: (row: (typeof rows)[number]) => row.title },
      ...MESSAGES.map((type) => ({
        title: type === "routeRefresh" ? "REFRESH" : type.toUpperCase(),
        cell: (row: (typeof rows)[number]) => row.counts[type],
        right: true,
      })),
    ],
    rows,
  );
}

const FAMILY_COLUMNS: readonly Column<FamilyCounts>[] = [
  { title: "ROUTES", cell: ({ family }) => family },
  { title: "RECEIVED", cell: ({ received }) => received, right: true },
  { title: "ACCEPTED", cell: ({ accepted }) => accepted, right: true },
  { title: "BEST", cell: ({ best }) => best, right: true },
  { title: "ADVERTISED", cell: ({ advertised }) => advertised, right: true },
  { title: "STALE", cell: ({ stale }) => stale, right: true },
];

function policyLines({ policy, limits }: PeerView): string[] {
  const { maxPrefixes, maxPrefixesOut } = limits;
  const lines = (["import", "export"] as const).map((way) => {
    const { filters, otherwise } = policy[way];
    return `  ${way}: ${filters.length === 0 ? "no filter" : `filters ${filters.join(" ")}`}, otherwise ${otherwise}`;
  });
  if (policy.requiresPolicy) lines.push("  without a filter nothing goes in or out (RFC 8212)");
  if (maxPrefixes !== undefined) {
    const reached = maxPrefixes.reached ? ", reached" : "";
    lines.push(`  at most ${maxPrefixes.limit} prefixes a family, then ${maxPrefixes.action}${reached}`);
  }
  if (maxPrefixesOut !== undefined) lines.push(`  at most ${maxPrefixesOut} prefixes a family are announced`);
  return ["", ...lines];
}

function restartLines({ restart }: PeerView): string[] {
  const {
    peerRestartTime,
    peerRestarted,
    peerNotification,
    peerFamilies = [],
    peerLongLived,
    endOfRIB,
    stale,
  } = restart;
  return list("graceful restart", [
    ...(peerRestartTime === undefined
      ? ["the peer does not offer it"]
      : [`the peer's restart time is ${peerRestartTime} s, forwarding kept: ${peerFamilies.join(" ") || "none"}`]),
    ...(peerNotification === true ? ["kept over notifications too (RFC 8538)"] : []),
    ...(peerLongLived ?? []).map(({ family, staleTime }) => `${family}: long-lived for ${staleTime} s (RFC 9494)`),
    ...(peerRestarted === true ? ["the peer said it has restarted"] : []),
    ...(endOfRIB.length > 0 ? [`end-of-RIB received: ${endOfRIB.join(" ")}`] : []),
    ...stale.map(
      ({ family, phase, routes, until }) => `${family}: ${phase}, ${routes} stale routes${said("until", until)}`,
    ),
  ]);
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
