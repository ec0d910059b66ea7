/** A lab for a benchmark, driven as an operator does it. */
import type { LabStatus } from "../../src/lab/status.ts";
import { overland } from "../harness/program.ts";

export async function lab(name: string, verb: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await overland(["lab", verb, "--name", name, ...args]);
  if (code !== 0) throw new Error(`overland lab ${verb}: ${stderr || stdout}`);
  return stdout;
}

export async function apply({ etcd }: LabStatus, input: string): Promise<void> {
  const environment = { ETCD_ENDPOINTS: etcd.endpoints.join(",") };
  const { code, stderr } = await overland(["apply", "-f", "-"], { netns: etcd.netns, environment, input });
  if (code !== 0) throw new Error(`overland apply: ${stderr}`);
}
