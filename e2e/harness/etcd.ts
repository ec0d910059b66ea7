/** The lab's etcd, read with etcdctl. */
import type { LabStatus } from "../../src/lab/status.ts";
import { must } from "./command.ts";

/** Keys without the common `/overland/v1/`, with their values. */
export async function records(lab: LabStatus, under = ""): Promise<Map<string, string>> {
  const root = "/overland/v1/";
  const command = [
    "etcdctl",
    "--endpoints",
    lab.etcd.endpoints.join(","),
    "get",
    "--prefix",
    root + under,
    "-w",
    "json",
  ];
  const text = await must(command, { netns: lab.etcd.netns, environment: { ETCDCTL_API: "3" } });
  const { kvs = [] } = JSON.parse(text) as { kvs?: { key: string; value?: string }[] };
  const decoded = (value = "") => Buffer.from(value, "base64").toString();
  return new Map(kvs.map(({ key, value }) => [decoded(key).slice(root.length), decoded(value)]));
}

/** Who holds addresses, and which. */
export async function handles(lab: LabStatus): Promise<Map<string, readonly string[]>> {
  const found = await records(lab, "ipam/handles/");
  return new Map(
    [...found].map(([key, value]) => {
      const { addresses } = JSON.parse(value) as { addresses: string[] };
      return [decodeURIComponent(key.slice("ipam/handles/".length)), addresses];
    }),
  );
}
