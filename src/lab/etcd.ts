/**
 * The lab's etcd, in its own namespace on the management network.
 *
 * Its data lie under /var/lib, not under /run: etcd reserves 64 MB for its log ahead of time, which would be memory
 * there.
 */
import { mkdirSync } from "node:fs";
import { inside, run } from "./command.ts";
import { labPaths } from "./paths.ts";
import { start } from "./processes.ts";
import type { LabPlan } from "./topology.ts";
import { until } from "./wait.ts";

export async function startEtcd(plan: LabPlan, signal: AbortSignal): Promise<void> {
  const { netns, endpoint } = plan.etcd;
  const lab = plan.size.name;
  const data = `${labPaths(lab).data}/etcd`;
  // etcd refuses a data directory that others may read.
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const peers = [
    "--listen-peer-urls",
    "http://127.0.0.1:2380",
    "--initial-advertise-peer-urls",
    "http://127.0.0.1:2380",
  ];
  const clients = ["--listen-client-urls", `${endpoint},http://127.0.0.1:2379`, "--advertise-client-urls", endpoint];
  const cluster = ["--name", "lab", "--initial-cluster", "lab=http://127.0.0.1:2380"];
  const command = ["etcd", "--data-dir", data, ...cluster, ...peers, ...clients, "--logger", "zap"];
  start({ lab, name: "etcd", netns, command, environment: { ETCD_UNSUPPORTED_ARCH: process.arch } });
  await until(
    async () => {
      const asked = await run(inside(netns, ["curl", "--silent", "--max-time", "1", `${endpoint}/health`]));
      return asked.stdout.includes("true") ? true : undefined;
    },
    { what: "etcd answers", timeoutMs: 20_000, signal },
  );
}
