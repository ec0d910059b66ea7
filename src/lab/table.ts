/** The lab's status as a table for people. Pure: the same lines for `overland lab status` and for the live view. */

import { POD_POOLS } from "./addressing.ts";
import { isEstablished } from "./agents.ts";
import type { LabStatus, NodeStatus, RouterStatus } from "./status.ts";

export function statusTable(status: LabStatus): string[] {
  const pods = new Map<string, number>();
  for (const pod of status.pods) pods.set(pod.node, (pods.get(pod.node) ?? 0) + 1);
  const etcd = status.etcd.running ? status.etcd.endpoints.join(" ") : "DOWN";
  return [
    `lab ${status.name}${status.complete ? "" : " (not complete)"}, etcd ${etcd}`,
    "",
    ...columns([
      ["NODE", "ADDRESSES", "AGENT", "SESSIONS", "BLOCKS", "PODS", "ROUTES"],
      ...status.nodes.map((node) => nodeRow(node, pods.get(node.name) ?? 0, status.nodes.length)),
    ]),
    "",
    ...columns([["ROUTER", "DAEMON", "AS", "SESSIONS", "POD ROUTES"], ...status.routers.map(routerRow)]),
    "",
    ...columns([["VM", "ADDRESSES"], ...status.vms.map((vm) => [vm.name, vm.addresses.join(" ")])]),
  ];
}

export function podTable(status: LabStatus): string[] {
  const rows = status.pods.map((pod) => [
    pod.name,
    pod.node,
    pod.addresses.join(" ") || "not wired",
    pod.hostInterface,
  ]);
  return columns([["POD", "NODE", "ADDRESSES", "INTERFACE"], ...rows]);
}

function nodeRow(node: NodeStatus, pods: number, sessionsWanted: number): string[] {
  const { status } = node;
  const agent = node.agent.running ? (status?.ready === true ? "ready" : "not ready") : "DOWN";
  const sessions = status === undefined ? "-" : `${status.peers.filter(isEstablished).length}/${sessionsWanted}`;
  const blocks = status?.blocks.join(" ") || "-";
  return [
    node.name,
    node.addresses.join(" "),
    agent,
    sessions,
    blocks,
    String(pods),
    String(status?.routes.installed ?? "-"),
  ];
}

function routerRow(router: RouterStatus): string[] {
  const up = router.sessions.filter((session) => session.established).length;
  const routes = podRoutes(router);
  const daemon = router.running ? router.daemon : `${router.daemon} DOWN`;
  return [
    router.name,
    daemon,
    String(router.asNumber),
    `${up}/${router.sessions.length}`,
    `${routes.length}: ${routes.join(" ")}`,
  ];
}

/** Told apart by the pools' first digits: the plan gives pods a range nothing else lies in. */
export function podRoutes(router: RouterStatus): string[] {
  const starts = [POD_POOLS.ipv4.cidr, POD_POOLS.ipv6.cidr].map((cidr) => cidr.replace(/(?:\.0)+\/\d+$|::?\/\d+$/, ""));
  return router.routes
    .map((route) => route.prefix)
    .filter((prefix) => starts.some((start) => prefix.startsWith(`${start}.`) || prefix.startsWith(`${start}:`)))
    .sort();
}

/** Cells padded to their column's width; the last column is as wide as it is. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  "),
  );
}
