/** What a failed scenario leaves behind: logs, router and agent states, kernel tables, etcd's records and captures. */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { LabStatus, NodeStatus, RouterStatus } from "../../src/lab/status.ts";
import { agentRoutes, agentView } from "./agent.ts";
import { run } from "./command.ts";
import { records } from "./etcd.ts";
import { birdc, vtysh } from "./routers.ts";

/** Gives the directory. Parts that do not answer leave a file with the reason. */
export async function gatherEvidence(lab: LabStatus, proof: string): Promise<string> {
  const root = `${tmpdir()}/overland-e2e`;
  mkdirSync(root, { recursive: true });
  const slug = proof
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 60);
  const directory = mkdtempSync(`${root}/${lab.name}-${slug}-`);
  const keep = async (file: string, text: () => Promise<string>) =>
    writeFileSync(`${directory}/${file}`, await text().catch((error: Error) => `cannot be had: ${error.message}\n`));
  const netnses = [lab.etcd, ...lab.routers, ...lab.nodes, ...lab.vms, ...lab.pods].map(({ netns }) => netns);
  await Promise.all([
    keep("lab.json", async () => JSON.stringify(lab, null, 1)),
    keep("logs", async () => "see log/\n").then(() => cpSync(lab.log, `${directory}/log`, { recursive: true })),
    keep("etcd.txt", async () => [...(await records(lab))].map(([key, value]) => `${key}\n  ${value}\n`).join("")),
    ...lab.routers.map((router) => keep(`${router.name}.txt`, () => routerState(router))),
    ...lab.nodes.map((node) => keep(`${node.name}.json`, () => agentState(node))),
    ...netnses.map((netns) => keep(`${netns}.txt`, () => kernelState(netns))),
  ]);
  return directory;
}

async function routerState(router: RouterStatus): Promise<string> {
  if (router.daemon === "bird") {
    return (await birdc(router, "show protocols all")) + (await birdc(router, "show route all"));
  }
  const questions = ["show bgp neighbors", "show bgp ipv4 unicast", "show bgp ipv6 unicast"];
  return (await Promise.all(questions.map((question) => vtysh(router, question)))).join("\n");
}

const agentState = async (node: NodeStatus): Promise<string> =>
  JSON.stringify({ status: await agentView(node), routes: await agentRoutes(node) }, null, 1);

async function kernelState(netns: string): Promise<string> {
  const questions = ["ip -d address", "ip -d route", "ip -6 -d route", "ss -tanp", "nft list ruleset"];
  const answers = questions.map(async (question) => {
    const { stdout, stderr } = await run(question.split(" "), { netns, timeoutMs: 5000 });
    return `# ${question}\n${stdout}${stderr}\n`;
  });
  return (await Promise.all(answers)).join("");
}
