/** Pods wired by the plugin and an agent per node, on etcd; the nodes peer with each other. Nothing is set by hand. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Commands } from "./commands.ts";
import { type Family, type Node, nodeAddress, type Site, SWITCH_ADDRESS, type Way } from "./nodes.ts";

const ROOT = join(import.meta.dirname, "../../..");
const OVERLAND = join(ROOT, "src/overland");
const PLUGIN = join(ROOT, "dist/cni/overland");
const ETCD = `http://${SWITCH_ADDRESS}:2379`;

const POOLS = `apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: bench-ipv4}
spec: {cidr: 10.244.0.0/16}
---
apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: bench-ipv6}
spec: {cidr: "fd00:244::/48"}
`;

interface Pod {
  readonly netns: string;
  readonly addresses: Readonly<Record<Family, string>>;
}

export async function overlandWay(commands: Commands, site: Site, folder: string): Promise<Way> {
  const path = (name: string) => join(folder, name);
  writeFileSync(path("pools.yaml"), POOLS);
  const urls = ["--listen-client-urls", "--advertise-client-urls"].flatMap((option) => [option, ETCD]);
  const peers = ["--listen-peer-urls", "http://127.0.0.1:2380"];
  const etcd = ["etcd", "--data-dir", path("etcd"), "--log-level", "warn", ...urls, ...peers];
  commands.start(site.switch, "etcd", etcd);
  await commands.until(site.switch, "etcd", [OVERLAND, "apply", "-f", path("pools.yaml")], {
    environment: { ETCD_ENDPOINTS: ETCD },
  });
  const pods: Pod[] = [];
  for (const node of site.nodes) {
    await startAgent(commands, node, path);
    pods.push(await addPod(commands, node, path));
  }
  const [client, server] = pods as [Pod, Pod];
  return { mode: "overland", client: client.netns, server: server.netns, addresses: server.addresses };
}

const socketOf = ({ number }: Node) => `agent${number}.sock`;
const stateOf = ({ number }: Node) => `state${number}`;

async function startAgent(commands: Commands, node: Node, path: (name: string) => string): Promise<void> {
  const { ipv4, ipv6 } = nodeAddress(node.number);
  const configuration = {
    nodeName: `node${node.number}`,
    socket: path(socketOf(node)),
    stateDir: path(stateOf(node)),
    http: "off",
    etcd: { endpoints: [ETCD] },
    ipv4Address: `${ipv4}/24`,
    ipv6Address: `${ipv6}/64`,
    log: { level: "warn" },
  };
  const name = `agent${node.number}`;
  writeFileSync(path(`${name}.yaml`), JSON.stringify(configuration));
  commands.start(node.netns, name, [OVERLAND, "agent", "--config", path(`${name}.yaml`)]);
  const input = networkConfiguration(node, path);
  await commands.until(node.netns, name, [PLUGIN], { environment: { CNI_COMMAND: "STATUS" }, input });
}

async function addPod(commands: Commands, node: Node, path: (name: string) => string): Promise<Pod> {
  const netns = commands.netns(`overland${node.number}`);
  const environment = {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: netns,
    CNI_NETNS: `/run/netns/${netns}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: join(PLUGIN, ".."),
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=pod${node.number}`,
  };
  const input = networkConfiguration(node, path);
  const result = JSON.parse(await commands.must(node.netns, [PLUGIN], { environment, input })) as {
    ips: { address: string }[];
  };
  const addresses = result.ips.map(({ address }) => address.replace(/\/.*/, ""));
  const ipv4 = addresses.find((address) => !address.includes(":"));
  const ipv6 = addresses.find((address) => address.includes(":"));
  if (ipv4 === undefined || ipv6 === undefined)
    throw new Error(`the pod has not both families but ${addresses.join()}`);
  return { netns, addresses: { ipv4, ipv6 } };
}

const networkConfiguration = (node: Node, path: (name: string) => string): string =>
  JSON.stringify({
    cniVersion: "1.1.0",
    name: "overland",
    type: "overland",
    socket: path(socketOf(node)),
    stateDir: path(stateOf(node)),
  });
