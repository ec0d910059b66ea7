/**
 * `npm run bench services`: from a change of an EndpointSlice at the API server to the UPDATE on the wire to the ToR,
 * with a large cluster's services and slices known to the agent and others of them changing meanwhile.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { LabStatus, NodeStatus } from "../../src/lab/status.ts";
import { agentView, settled } from "../harness/agent.ts";
import { LabApiServer } from "../harness/lab-api-server.ts";
import { processIn } from "../harness/processes.ts";
import { exitCodeOf, Refusal } from "./ending.ts";
import { apply, lab } from "./lab.ts";
import { otherSlice, others, watchedService, watchedSlice } from "./services/objects.ts";
import { Wire } from "./services/wire.ts";

const HELP = `usage: npm run bench services -- [--services N] [--slices N] [--changes N] [--rate N] [--json]

Milliseconds from a change of an EndpointSlice, sent to the API server, to the UPDATE on the wire to the ToR.

  --services N  known to the agent (5000)
  --slices N    of each (4)
  --changes N   that are measured (500)
  --rate N      changes of other slices a second meanwhile (100)
  --json        print the figures as JSON
`;
const NAME = "benchsvc";
const PATIENCE_MS = 5_000;
const RANGES = `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec: {asNumber: 64512, holdTime: 9s, serviceClusterIPs: [{cidr: 10.96.0.0/16}]}
`;

interface Settings {
  readonly services: number;
  readonly slices: number;
  readonly changes: number;
  readonly rate: number;
  readonly json: boolean;
}

async function main(): Promise<number> {
  const wanted = settings(process.argv.slice(2));
  if (wanted === undefined) return 0;
  await lab(NAME, "up", "--racks", "1", "--nodes", "1", "--pods", "0");
  const plan = JSON.parse(await lab(NAME, "status", "-o", "json")) as LabStatus;
  const api = new LabApiServer(() => plan);
  try {
    await api.start();
    return await measure(wanted, plan, api);
  } finally {
    await api.stop();
    await lab(NAME, "down");
  }
}

async function measure(wanted: Settings, plan: LabStatus, api: LabApiServer): Promise<number> {
  const [node] = plan.nodes as [NodeStatus];
  const [router] = plan.routers;
  const batch: object[] = [];
  for (const object of others(wanted.services, wanted.slices)) batch.push(object);
  for (let n = 0; n < wanted.changes; n++) batch.push(watchedService(n), watchedSlice(n, "elsewhere"));
  await api.put(...batch);
  await apply(plan, RANGES);
  await api.tellAgents();
  await settled(node, 60);
  const agent = processIn(node.netns, "agent", "--config");
  const wire = new Wire(router?.netns ?? "", node.addresses[0] ?? "");
  await wire.ready;
  const background = setInterval(() => void otherChanges(api, wanted), 100);
  const cpu = cpuSeconds(agent.pid);
  const started = performance.now();
  const times: number[] = [];
  try {
    for (let n = 0; n < wanted.changes; n++) {
      const asked = performance.timeOrigin + performance.now();
      await api.put(...[watchedSlice(n, node.name)]);
      const heard = await wire.after(asked, PATIENCE_MS);
      if (heard === undefined) throw new Error(`change ${n} was not on the wire within ${PATIENCE_MS} ms`);
      times.push(heard - asked);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    clearInterval(background);
    wire.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  const share = (cpuSeconds(agent.pid) - cpu) / seconds;
  const { problems } = await agentView(node);
  if (problems.length > 0) console.error(problems.join("\n"));
  show(wanted, times, share, rssMB(agent.pid));
  return 0;
}

let turn = 0;
async function otherChanges(api: LabApiServer, { services, slices, rate }: Settings): Promise<void> {
  const changed: object[] = [];
  for (let i = 0; i < rate / 10; i++) {
    turn++;
    changed.push(otherSlice((turn * 31) % services, turn % slices, turn));
  }
  await api.put(...changed).catch((error: Error) => console.error(error.message));
}

function show(wanted: Settings, times: number[], share: number, rss: number): void {
  times.sort((a, b) => a - b);
  const at = (part: number) =>
    Number((times[Math.min(times.length - 1, Math.floor(part * times.length))] ?? 0).toFixed(1));
  const figures = {
    services: wanted.services,
    slices: wanted.services * wanted.slices,
    changes: times.length,
    p50_ms: at(0.5),
    p90_ms: at(0.9),
    p99_ms: at(0.99),
    most_ms: at(1),
    agent_cpu_share: Number(share.toFixed(3)),
    agent_rss_mb: rss,
  };
  if (wanted.json) console.log(JSON.stringify(figures));
  else for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(16)} ${value}`);
}

function settings(args: string[]): Settings | undefined {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args,
    options: {
      services: text("5000"),
      slices: text("4"),
      changes: text("500"),
      rate: text("100"),
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const number = (name: "services" | "slices" | "changes" | "rate") => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 0 && value <= 10_000) return value;
    throw new Refusal(`--${name} ${values[name]}: a whole number up to 10000`);
  };
  return {
    services: number("services"),
    slices: number("slices"),
    changes: number("changes"),
    rate: number("rate"),
    json: values.json,
  };
}

/** User and system time in clock ticks, a hundredth of a second each. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rssMB(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
}

process.exitCode = await exitCodeOf("services", main);
