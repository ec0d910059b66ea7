/** The agent's Node resource over the lives of its Kubernetes Node. */
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { readAgentConfig } from "../config/agent-config.ts";
import type { NodeResource } from "../config/resource.ts";
import { deleteResources, getResources } from "../config/resource-store.ts";
import type { Link } from "../kernel/links.ts";
import { openLog } from "../telemetry/log.ts";
import { Configuration } from "./configuration.ts";
import { readNode } from "./node-object.ts";

const LINKS = ["10.0.0.7/24", "10.0.9.7/24"].map((text, index) => {
  return {
    name: `eth${index}`,
    index: index + 2,
    up: true,
    carrier: true,
    mtu: 1500,
    addresses: [parseAddressWithLength(text)],
  };
}) as unknown as readonly Link[];

let store: MemoryStore;
let configuration: Configuration;

const configured = (more: Record<string, string> = {}) => {
  const flags = { nodeName: "n1", "etcd.endpoints": "http://x:1", ...more };
  const read = readAgentConfig({ flags, env: {}, hostname: "n1" });
  if ("faults" in read) throw new Error(read.faults.join());
  const log = openLog({ stream: new Writable({ write: (_chunk, _encoding, done) => done() }) });
  const ports = { links: () => LINKS, addressTowards: () => Promise.reject(new Error("nobody asks")) };
  return new Configuration({ config: read.config, store, log, ports, changed: () => undefined });
};

beforeEach(() => {
  store = new MemoryStore();
  configuration = configured();
});
afterEach(() => configuration.stop());

const node = (labels: Record<string, string>, annotations: Record<string, string> = {}, address = "10.0.0.7") =>
  readNode({
    metadata: { name: "n1", uid: "u1", labels, annotations },
    status: { addresses: [{ type: "InternalIP", address }] },
  });

const stored = async () => (await getResources(store, "Node", ["n1"])).resources[0] as NodeResource | undefined;
const labelled = async (rack: string | undefined) => {
  for (let turn = 0; turn < 500; turn++) {
    const found = await stored();
    if (found !== undefined && found.metadata.labels?.["rack"] === rack) return found;
    await sleep(10);
  }
  throw new Error(`the Node resource is ${JSON.stringify(await stored())}`);
};

const addressed = async (address: string) => {
  for (let turn = 0; turn < 500; turn++) {
    if ((await stored())?.spec.bgp?.ipv4Address === address) return;
    await sleep(10);
  }
  throw new Error(`the Node resource is ${JSON.stringify(await stored())}`);
};

describe("the agent's Node resource", () => {
  it("follows the Kubernetes Node's labels, and its address where this node has it", async () => {
    configuration.setKubernetesNode(node({ rack: "1" }));
    await configuration.start();
    expect((await labelled("1")).spec.bgp?.ipv4Address).toBe("10.0.0.7/24");
    const annotations = {
      "projectcalico.org/IPv4Address": "10.0.9.7/16",
      "projectcalico.org/IPv6Address": "fd00::7/64",
    };
    configuration.setKubernetesNode(node({ rack: "2" }, annotations));
    expect((await labelled("2")).spec.bgp).toEqual({ ipv4Address: "10.0.9.7/24" });
    configuration.setKubernetesNode(node({}));
    expect((await labelled(undefined)).spec.bgp?.ipv4Address).toBe("10.0.0.7/24");
  });

  it("has the InternalIP of the Kubernetes Node where that is wanted, once it is known, and the next", async () => {
    const wanted = { ipv4AutodetectionMethod: "kubernetes-internal-ip", "kubernetes.kubeconfig": "/none" };
    configuration = configured(wanted);
    await configuration.start();
    expect(configuration.problems.join()).toContain("the Kubernetes Node is not read yet");
    configuration.setKubernetesNode("absent");
    for (const [rack, address] of [
      ["1", "10.0.9.7"],
      ["2", "10.0.0.7"],
    ] as const) {
      configuration.setKubernetesNode(node({ rack }, {}, address));
      await addressed(`${address}/24`);
    }
    configuration.stop();
    configuration = configured({ ...wanted, "kubernetes.kubeconfig": "off" });
    await configuration.start();
    expect(configuration.problems.join()).toContain("this agent has no access to Kubernetes");
  });

  it("is not put back while Kubernetes has no such Node, and is once it has", async () => {
    configuration.setKubernetesNode(node({ rack: "1" }));
    await configuration.start();
    await labelled("1");
    await sleep(20);
    configuration.setKubernetesNode("absent");
    expect(configuration.problems).toContain("Kubernetes has no Node n1");
    await deleteResources(store, [{ kind: "Node", name: "n1" }]);
    await sleep(100);
    expect(await stored()).toBeUndefined();
    configuration.setKubernetesNode(node({ rack: "3" }));
    await labelled("3");
  });
});
