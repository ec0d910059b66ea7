/**
 * Containers that `ctr run --cni` makes: no pod, no kubelet, a network namespace known by the process's number alone.
 * And what containerd makes of a network configuration: which versions it takes, and what it asks of the plugin.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { settled } from "./harness/agent.ts";
import { plugin } from "./harness/cni.ts";
import { must } from "./harness/command.ts";
import { Containerd } from "./harness/containerd.ts";
import { handles } from "./harness/etcd.ts";
import { type Footprint, footprint } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { POD_IMAGE } from "./harness/pod-image.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ectr", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

let containerd: Containerd;

/** Its attachments are called after containerd's namespace and the container. */
const containerID = (name: string) => `${containerd.name}-${name}`;
const addressesOf = async (name: string): Promise<readonly string[]> =>
  (await handles(lab.plan)).get(`overland.${containerID(name)}.eth0`) ?? [];

async function detached(name: string): Promise<readonly string[]> {
  await containerd.ctr(["run", "--detach", "--cni", POD_IMAGE, name, "/pod", "serve", "8080", `I am ${name}`]);
  return await addressesOf(name);
}

async function killed(name: string): Promise<void> {
  await containerd.ctr(["task", "kill", "--signal", "SIGKILL", name]);
  await eventually("its task ended", 10, async () => (await containerd.ctr(["task", "list"])).includes("STOPPED"));
  await containerd.ctr(["task", "delete", name]);
  await containerd.ctr(["container", "delete", name]);
}

/** By hand, as `ctr` does not. */
async function del(name: string): Promise<void> {
  const environment = { CNI_COMMAND: "DEL", CNI_CONTAINERID: containerID(name), CNI_IFNAME: "eth0", CNI_PATH: "/" };
  const { socket, stateDir } = node();
  const input = { cniVersion: "1.0.0", name: "overland", type: "overland", socket, stateDir };
  expect(await plugin(node(), environment, JSON.stringify(input))).toMatchObject({ code: 0, stdout: "" });
}

/** Its addresses are there a moment before its program listens. */
const told = (address: string): Promise<string> =>
  eventually(`somebody answers at ${address}`, 5, () =>
    must([`${containerd.directory}/image/rootfs/pod`, "dial", address, "8080"], { netns: lab.netns("vm1") }),
  );

describe("containerd without a kubelet", () => {
  beforeAll(async () => {
    containerd = new Containerd(lab.name, node(), `${lab.plan.log}/containerd.log`);
    await containerd.start();
    await containerd.ctr(["images", "import", `${containerd.directory}/image/pod-image.tar`]);
    await settled(node());
  }, 120_000);

  afterAll(() => containerd?.destroy(), 60_000);

  lab.proof("ctr run --cni gives a container its addresses, and takes them back when it ends", async () => {
    const before = await now();
    const running = containerd.ctr(["run", "--cni", POD_IMAGE, "waiting", "/pod", "serve", "8080", "I am waiting"]);
    const addresses = await eventually("it has addresses", 20, async () => {
      const found = await addressesOf("waiting");
      return found.length === 2 && found;
    });
    await reaches(lab.netns("vm1"), addresses);
    for (const address of addresses) expect(await told(address)).toBe("I am waiting");
    await containerd.ctr(["task", "kill", "waiting"]);
    await running;
    expect(await now()).toEqual(before);
    expect(containerd.cachedResults()).toEqual([]);
    await containerd.ctr(["container", "delete", "waiting"]).catch(() => {});
  });

  lab.proof(
    "ctr run --detach --cni never asks for a DEL: the interface goes with the container, the address stays",
    async () => {
      const before = await now();
      const addresses = await detached("forgotten");
      for (const address of addresses) expect(await told(address)).toBe("I am forgotten");
      await killed("forgotten");
      const left = before.interfaces.length;
      await eventually("the interface is gone", 5, async () => (await now()).interfaces.length === left);
      expect(await addressesOf("forgotten")).toEqual(addresses);
      await del("forgotten");
      expect(await now()).toEqual(before);
    },
  );

  lab.proof("a container of the same name starts again although nobody asked for the DEL of the first", async () => {
    const before = await now();
    await detached("again");
    await killed("again");
    const addresses = await detached("again");
    for (const address of addresses) expect(await told(address)).toBe("I am again");
    expect((await now()).addresses).toHaveLength(before.addresses.length + 1);
    await killed("again");
    await del("again");
    expect(await now()).toEqual(before);
  });

  for (const [cniVersion, refusal] of [
    ["0.3.1", undefined],
    ["0.4.0", undefined],
    ["1.0.0", undefined],
    ["1.1.0", /unsupported CNI result version "1.1.0"/],
  ] as const) {
    const what = refusal === undefined ? "is taken" : "is refused by containerd 1.6 itself, and nothing is left";
    lab.proof(`a configuration list of version ${cniVersion} ${what}`, async () => {
      const before = await now();
      await configured({ cniVersion });
      if (refusal === undefined) {
        const id = await containerd.cri.run({ name: "versioned" });
        await reaches(lab.netns("vm1"), (await containerd.cri.status(id)).addresses);
        await containerd.cri.stop(id);
        await containerd.cri.remove(id);
      } else {
        await expect(containerd.cri.run({ name: "versioned" })).rejects.toThrow(refusal);
      }
      expect(await now()).toEqual(before);
      expect(await containerd.cri.list()).toEqual([]);
      containerd.configureNetwork();
    });
  }

  lab.proof(
    "no pod starts without the loopback plugin beside ours, and nothing is left once the kubelet has taken it away",
    async () => {
      const before = await now();
      const loopback = `${containerd.directory}/opt-cni/bin/loopback`;
      renameSync(loopback, `${loopback}-away`);
      await expect(containerd.cri.run({ name: "deaf" })).rejects.toThrow(/failed to find plugin "loopback"/);
      renameSync(`${loopback}-away`, loopback);
      // The removal of a pod's networks needs the same plugin: containerd keeps the sandbox for who asks again.
      for (const id of await containerd.cri.list()) {
        await containerd.cri.stop(id);
        await containerd.cri.remove(id);
      }
      expect(await now()).toEqual(before);
      expect(await containerd.cri.list()).toEqual([]);
    },
  );

  lab.proof(
    "containerd asks for ADD and DEL alone: with ADD's result when it stops, with nothing when it removes",
    async () => {
      const before = await now();
      const calls = `${containerd.directory}/calls`;
      const note =
        '{\\"command\\":\\"$CNI_COMMAND\\",\\"args\\":\\"$CNI_ARGS\\",\\"netns\\":\\"$CNI_NETNS\\",\\"config\\":$input}';
      const script = [
        "#!/bin/sh",
        "input=$(cat)",
        `echo "${note}" >>${calls}`,
        'printf %s "$input" | "${0%/*}/overland"',
      ];
      writeFileSync(`${containerd.directory}/opt-cni/bin/recorder`, script.join("\n"), { mode: 0o755 });
      await configured({ type: "recorder" });
      const id = await containerd.cri.run({ name: "watched" });
      const { addresses } = await containerd.cri.status(id);
      await containerd.cri.stop(id);
      await containerd.cri.remove(id);
      const lines = readFileSync(calls, "utf8").trim().split("\n");
      const said = lines.map((line) => JSON.parse(line) as CniCall);
      const netns = expect.stringMatching(/\/netns\/cni-[0-9a-f-]+$/);
      const ips = addresses.map((address) =>
        expect.objectContaining({ address: expect.stringContaining(`${address}/`) }),
      );
      expect(said).toMatchObject([
        { command: "ADD", netns, config: { cniVersion: "1.0.0" } },
        { command: "DEL", netns, config: { cniVersion: "1.0.0", prevResult: { ips } } },
        { command: "DEL", netns: "", config: { cniVersion: "1.0.0" } },
      ]);
      expect(said.map(({ config }) => "prevResult" in config)).toEqual([false, true, false]);
      for (const { args } of said)
        expect(args.split(";").sort()).toEqual([
          "IgnoreUnknown=1",
          `K8S_POD_INFRA_CONTAINER_ID=${id}`,
          "K8S_POD_NAME=watched",
          "K8S_POD_NAMESPACE=e2e",
          "K8S_POD_UID=uid-of-watched",
        ]);
      expect(await now()).toEqual(before);
      containerd.configureNetwork();
    },
  );
});

interface CniCall {
  readonly command: string;
  readonly args: string;
  readonly netns: string;
  readonly config: object;
}

/** Resolves when containerd goes by it. */
async function configured({ cniVersion = "1.0.0", type = "overland" }): Promise<void> {
  const { socket, stateDir } = node();
  const text = JSON.stringify({ cniVersion, name: "overland", plugins: [{ type, socket, stateDir }] });
  const read = async () => (await containerd.cri.networkConfigurations()).includes(text);
  containerd.configureNetwork(text);
  await eventually("containerd has read the configuration", 5, read);
}
