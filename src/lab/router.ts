/** A ToR router at work: its daemons started, its sessions and routes asked from it, whichever program it runs. */
import { chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { birdConfig, parseBirdProtocols, parseBirdRoutes } from "./bird.ts";
import { must, run } from "./command.ts";
import { bgpdConfig, parseFrrRoutes, parseFrrSummary, zebraConfig } from "./frr.ts";
import { labPaths } from "./paths.ts";
import { type ProcessStart, start } from "./processes.ts";
import type { RouterRoute, RouterSession } from "./router-view.ts";
import type { LabPlan, RouterPlan } from "./topology.ts";
import { until } from "./wait.ts";

const FRR_DAEMONS = "/usr/lib/frr";

/** What an operator talks to: BIRD's control socket, or the directory with FRR's vty sockets. */
export function controlSocket(lab: string, router: RouterPlan): string {
  const directory = routerDirectory(lab, router);
  return router.daemon === "bird" ? `${directory}/bird.ctl` : directory;
}

export async function startRouter(plan: LabPlan, router: RouterPlan, signal: AbortSignal): Promise<void> {
  const directory = routerDirectory(plan.size.name, router);
  mkdirSync(directory, { recursive: true });
  const nodes = plan.nodes.filter((node) => node.router === router.name);
  if (router.daemon === "bird") {
    writeFileSync(`${directory}/bird.conf`, birdConfig(router, nodes));
    start(birdProcess(plan.size.name, router));
    return;
  }
  writeFileSync(`${directory}/zebra.conf`, zebraConfig(router));
  writeFileSync(`${directory}/bgpd.conf`, bgpdConfig(router, nodes));
  await giveToFrr(directory);
  start(frrProcess(plan.size.name, router, "zebra"));
  // A bgpd that comes first knows no interfaces for its first ten seconds and ends sessions over IPv6 next hops.
  const zebra = { what: `zebra of ${router.name} serves`, timeoutMs: 10_000, signal, intervalMs: 10 };
  await until(async () => (existsSync(`${directory}/zserv.sock`) ? true : undefined), zebra);
  start(frrProcess(plan.size.name, router, "bgpd"));
}

export async function routerSessions(lab: string, router: RouterPlan): Promise<RouterSession[]> {
  if (router.daemon === "bird") return parseBirdProtocols(await birdc(lab, router, "show protocols"));
  return parseFrrSummary(await vtysh(lab, router, "show bgp summary json"));
}

/** Every best route of both families, in the router's BGP table. */
export async function routerRoutes(lab: string, router: RouterPlan): Promise<RouterRoute[]> {
  if (router.daemon === "bird") return parseBirdRoutes(await birdc(lab, router, "show route"));
  const tables = ["ipv4", "ipv6"].map((family) => vtysh(lab, router, `show bgp ${family} unicast json`));
  return (await Promise.all(tables)).flatMap(parseFrrRoutes);
}

const routerDirectory = (lab: string, router: RouterPlan): string => `${labPaths(lab).run}/${router.name}`;

function birdProcess(lab: string, router: RouterPlan): ProcessStart {
  const directory = routerDirectory(lab, router);
  const command = ["bird", "-f", "-c", `${directory}/bird.conf`, "-s", `${directory}/bird.ctl`];
  return { lab, name: `${router.name}/bird`, netns: router.netns, command };
}

/** Every path explicit, so that labs do not meet each other nor an FRR the machine itself may run. */
function frrProcess(lab: string, router: RouterPlan, daemon: "zebra" | "bgpd"): ProcessStart {
  const directory = routerDirectory(lab, router);
  const files = ["-f", `${directory}/${daemon}.conf`, "-i", `${directory}/${daemon}.pid`];
  const sockets = ["-z", `${directory}/zserv.sock`, "--vty_socket", directory, "-P", "0"];
  const command = [`${FRR_DAEMONS}/${daemon}`, ...files, ...sockets, "-u", "frr", "-g", "frr", "--log", "stdout"];
  return { lab, name: `${router.name}/${daemon}`, netns: router.netns, command };
}

/** The daemons drop root for user frr before they make their sockets. */
async function giveToFrr(directory: string): Promise<void> {
  const { stdout } = await must(["id", "-u", "frr"]);
  const group = await must(["id", "-g", "frr"]);
  chownSync(directory, Number(stdout), Number(group.stdout));
}

async function birdc(lab: string, router: RouterPlan, question: string): Promise<string> {
  return (await must(["birdc", "-s", controlSocket(lab, router), question], { timeoutMs: 5000 })).stdout;
}

async function vtysh(lab: string, router: RouterPlan, question: string): Promise<string> {
  const directory = controlSocket(lab, router);
  const answer = await run(["vtysh", "--vty_socket", directory, "-d", "bgpd", "-c", question], { timeoutMs: 5000 });
  if (answer.code !== 0) throw new Error(`${router.name}: vtysh: ${answer.stderr.trim() || answer.stdout.trim()}`);
  return answer.stdout;
}
