/** The lab's etcd, read and spoilt with etcdctl. */
import type { LabStatus } from "../../src/lab/status.ts";
import { must } from "./command.ts";

const ROOT = "/overland/v1/";

/** Keys without the common `/overland/v1/`, with their values. */
export async function records(lab: LabStatus, under = ""): Promise<Map<string, string>> {
  const text = await etcdctl(lab, "get", "--prefix", ROOT + under, "-w", "json");
  const { kvs = [] } = JSON.parse(text) as { kvs?: { key: string; value?: string }[] };
  const decoded = (value = "") => Buffer.from(value, "base64").toString();
  return new Map(kvs.map(({ key, value }) => [decoded(key).slice(ROOT.length), decoded(value)]));
}

/** What a hand does to the records behind everybody's back; undefined deletes. */
export async function spoil(lab: LabStatus, key: string, value: string | undefined): Promise<void> {
  await (value === undefined ? etcdctl(lab, "del", ROOT + key) : etcdctl(lab, "put", ROOT + key, value));
}

function etcdctl(lab: LabStatus, ...words: readonly string[]): Promise<string> {
  const command = ["etcdctl", "--endpoints", lab.etcd.endpoints.join(","), ...words];
  return must(command, { netns: lab.etcd.netns, environment: { ETCDCTL_API: "3" } });
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
