/**
 * `npm run bench cluster`: what a large cluster costs one agent, the real one on the only real node of a lab: 5,000
 * Node resources in etcd, 5,000 services and 20,000 slices at the API server of e2e/kubernetes. Until all of it is
 * known, when nothing happens, and at 100 changes a second; with two route reflectors, and in a full mesh in which
 * nobody answers.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { LabStatus } from "../../src/lab/status.ts";
import { must } from "../harness/command.ts";
import { LabApiServer } from "../harness/lab-api-server.ts";
import { Agent, takePrecedence } from "./cluster/agent.ts";
import { Etcd, NODE_RANGE } from "./cluster/etcd.ts";
import { LARGE, type Size, serviceOf, sliceOf, writeObjects } from "./cluster/objects.ts";
import { exitCodeOf, Refusal } from "./ending.ts";
import { apply, lab } from "./lab.ts";

const HELP = `usage: npm run bench cluster -- [--share PERCENT] [--seconds N] [--topology NAME] [--json]

Measures one agent in a large cluster.

  --share PERCENT  of the full size (100): 5,000 nodes, 5,000 services, 20,000 slices
  --seconds N      how long to look at idle, and at changes (20)
  --topology NAME  reflectors or mesh (both)
  --json           print {"ratios", "raw"} on standard output, the rest on standard error
`;
const NAME = "benchclu";
const TARGETS: Readonly<Record<string, number>> = {
  reflectors_synced_seconds: 3,
  reflectors_resident_mb: 150,
  reflectors_idle_percent: 1,
  reflectors_changes_percent: 10,
};
const BATCHES_PER_SECOND = 10;
/** Of a batch: as in real clusters slices mostly. */
const [SLICES, SERVICES, NODES] = [6, 2, 2];
/** What came with the beginning is over, and its memory given back. */
const SETTLE_MS = 20_000;

type Topology = "reflectors" | "mesh";

const resources = (topology: Topology) => `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 64512
  nodeToNodeMeshEnabled: ${topology === "mesh"}
  serviceClusterIPs: [{cidr: 10.96.0.0/12}]
  serviceLoadBalancerIPs: [{cidr: 203.0.0.0/16}]
---
apiVersion: overland.dev/v1
kind: BGPPeer
metadata: {name: reflectors}
spec: {nodeSelector: "!has(route-reflector)", peerSelector: has(route-reflector)}
`;

interface Settings {
  readonly size: Omit<Size, "here">;
  readonly seconds: number;
  readonly topologies: readonly Topology[];
  readonly say: (line: string) => void;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      share: { type: "string", default: "100" },
      seconds: { type: "string", default: "20" },
      topology: { type: "string", default: "both" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [share, seconds] = [whole("share", values.share, 100), whole("seconds", values.seconds, 600)];
  const topologies = (["reflectors", "mesh"] as const).filter((one) => ["both", one].includes(values.topology));
  if (topologies.length === 0) throw new Refusal(`--topology ${values.topology}: reflectors, mesh or both`);
  const say = values.json ? console.error : console.log;
  const figures = await measure({ size: sized(share), seconds, topologies, say });
  if (values.json) console.log(JSON.stringify({ ratios: figures, raw: { share, seconds } }));
  return 0;
}

async function measure(settings: Settings): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-"));
  await lab(NAME, "up", "--racks", "1", "--nodes", "1", "--pods", "0");
  const plan = JSON.parse(await lab(NAME, "status", "-o", "json")) as LabStatus;
  const api = new LabApiServer(() => plan);
  const etcd = new Etcd(plan);
  try {
    const { say, topologies } = settings;
    const size = { ...settings.size, here: plan.nodes[0]?.name ?? "" };
    say(`making ${size.nodes} nodes, ${size.services} services, ${size.services * size.slicesPerService} slices`);
    const file = join(folder, "objects.jsonl");
    await writeObjects(file, size);
    await api.start("--load", file);
    takePrecedence(api.server.pid);
    await api.put({ apiVersion: "v1", kind: "Node", metadata: { name: size.here } });
    await swallow(plan, NODE_RANGE);
    await etcd.putNodes(size.nodes);
    const agent = new Agent(plan, api.kubeconfig);
    const figures: Record<string, number> = {};
    for (const topology of topologies) {
      say(`${topology}: the agent starts`);
      await apply(plan, resources(topology));
      const found = await look(agent, settings, (n) => change(api, etcd, size, n));
      for (const [name, value] of Object.entries(found)) {
        figures[`${topology}_${name}`] = value;
        const target = TARGETS[`${topology}_${name}`];
        say(`  ${name.padEnd(26)} ${String(value).padStart(9)}${target === undefined ? "" : `   (at most ${target})`}`);
      }
    }
    return figures;
  } finally {
    etcd.stop();
    await api.stop();
    await lab(NAME, "down");
    rmSync(folder, { recursive: true });
  }
}

async function look(agent: Agent, { seconds, say }: Settings, changed: (batch: number) => Promise<unknown>) {
  const started = await agent.startAgain();
  say(`all is known; idle for ${seconds} s`);
  await sleep(SETTLE_MS);
  const idle = await agent.share(() => sleep(seconds * 1000));
  const { resident_mb } = agent.memory;
  const sessions = await agent.sessions();
  say(`${BATCHES_PER_SECOND * (SLICES + SERVICES + NODES)} changes a second for ${seconds} s`);
  const changes = await agent.share(async () => {
    const began = performance.now();
    for (let n = 0; n < seconds * BATCHES_PER_SECOND; n++) {
      await sleep(Math.max(0, began + (n * 1000) / BATCHES_PER_SECOND - performance.now()));
      await changed(n);
    }
  });
  return {
    ...started,
    sessions,
    resident_mb,
    idle_percent: idle,
    changes_percent: changes,
    resident_after_mb: agent.memory.resident_mb,
    peak_mb: agent.memory.peak_mb,
  };
}

async function change(api: LabApiServer, etcd: Etcd, size: Size, batch: number): Promise<void> {
  const numbers = (count: number, most: number) =>
    Array.from({ length: count }, (_, i) => ((batch * count + i) * 37) % most);
  const slices = numbers(SLICES, size.services).map((n, i) => sliceOf(n, i % size.slicesPerService, size, batch + 1));
  const services = numbers(SERVICES, size.services).map((n) => serviceOf(n, size, batch + 1));
  await Promise.all([api.put(...slices, ...services), etcd.change(numbers(NODES, size.nodes), batch + 1)]);
}

/** What goes there gets no answer at all, as from nodes that are down. */
async function swallow({ nodes: [node], routers: [router] }: LabStatus, range: string): Promise<void> {
  await must(["ip", "route", "add", range, "via", router?.addresses[0] ?? ""], { netns: node?.netns });
  await must(["ip", "route", "add", "blackhole", range], { netns: router?.netns });
}

function sized(share: number): Omit<Size, "here"> {
  const part = (count: number) => Math.max(1, Math.round((count * share) / 100));
  return { ...LARGE, nodes: part(LARGE.nodes), services: part(LARGE.services), namespaces: part(LARGE.namespaces) };
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Refusal(`--${name} ${text}: must be a whole number from 1 to ${most}`);
}

process.exitCode = await exitCodeOf("cluster", main);
