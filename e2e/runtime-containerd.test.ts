/**
 * Pods as the kubelet makes them: containerd and runc of the Debian package on two nodes, asked over CRI, with our
 * plugin and Debian's portmap in one configuration list.
 */
import { existsSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { settled } from "./harness/agent.ts";
import { must, run } from "./harness/command.ts";
import { Containerd, killShimOf, shims } from "./harness/containerd.ts";
import type { PodRequest, PodStatus } from "./harness/cri.ts";
import { type Footprint, footprint } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { answers, reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ecri", { racks: 2, nodes: 1, pods: 0 });

describe("containerd", () => {
  let containerd: Containerd;
  let other: Containerd;

  beforeAll(async () => {
    const made = ["r1n1", "r2n1"].map(
      (name) => new Containerd(lab.name, lab.node(name), `${lab.plan.log}/${name}-containerd.log`),
    );
    [containerd, other] = made as [Containerd, Containerd];
    await Promise.all(made.map((one) => one.start()));
    for (const { node } of made) await settled(node);
  }, 120_000);

  afterAll(async () => {
    for (const one of [containerd, other]) await one?.destroy();
  }, 60_000);

  const now = (one = containerd): Promise<Footprint> => footprint(lab.plan, one.node);

  /** Nothing is left of any pod: interfaces, routes, addresses, records, shims, and what libcni keeps. */
  async function leaves(before: Footprint, one = containerd): Promise<void> {
    expect(await now(one)).toEqual(before);
    expect(await one.cri.list()).toEqual([]);
    expect(shims(one)).toEqual([]);
    expect(one.cachedResults()).toEqual([]);
    expect(await lab.overland(["ipam", "check"])).toMatchObject({ code: 0, stderr: "" });
  }

  interface Pod extends PodStatus {
    readonly id: string;
  }

  async function start(one: Containerd, pod: PodRequest): Promise<Pod> {
    const id = await one.cri.run(pod);
    return { id, ...(await one.cri.status(id)) };
  }

  async function remove(one: Containerd, id: string): Promise<void> {
    await one.cri.stop(id);
    await one.cri.remove(id);
  }

  /** A pod's own addresses, by what its namespace holds. */
  const addressesIn = async ({ info }: PodStatus): Promise<string> =>
    must(["nsenter", "--target", String(info.pid), "--net", "--", "ip", "-o", "address", "show", "dev", "eth0"]);

  /** What somebody in the namespace is told at this address and port. */
  const told = (netns: string, address: string, port: number): Promise<string> =>
    must([`${containerd.directory}/image/rootfs/pod`, "dial", address, String(port)], { netns });

  lab.proof(
    "is not ready for pods without a network configuration, and is within a second of its being there",
    async () => {
      const network = async () => (await containerd.cri.conditions()).find(({ type }) => type === "NetworkReady");
      await eventually("the network is ready", 5, async () => (await network())?.status === true);
      rmSync(containerd.networkConfiguration);
      await eventually("the network is not ready", 5, async () => (await network())?.status === false);
      containerd.configureNetwork();
      await eventually("the network is ready again", 5, async () => (await network())?.status === true);
      expect(await containerd.cri.hasImage()).toBe(true);
    },
  );

  lab.proof("tells the kubelet both addresses, and pods of two nodes and a VM reach each other", async () => {
    const before = [await now(), await now(other)];
    const [client, server] = [{ name: "client" }, { name: "server" }];
    const [here, there] = [await start(containerd, client), await start(other, server)];
    for (const pod of [here, there]) {
      expect(pod).toMatchObject({
        ready: true,
        addresses: [expect.stringMatching(/^10\.244\./), expect.stringMatching(/^fd00:244:/)],
      });
      const inside = await addressesIn(pod);
      for (const address of pod.addresses) expect(inside).toMatch(new RegExp(` ${address}/(32|128) `));
      await reaches(lab.netns("vm1"), pod.addresses);
    }
    const shell = await containerd.cri.container(here.id, client, []);
    await other.cri.container(there.id, server, ["serve", "8080", "it is me"]);
    for (const address of there.addresses)
      expect(await containerd.cri.exec(shell, ["/pod", "dial", address, "8080"])).toBe("it is me");
    for (const [from, to] of [[here, there] as const, [there, here] as const])
      for (const address of to.addresses)
        await must(["nsenter", "--target", String(from.info.pid), "--net", "--", "ping", "-n", "-c1", "-W2", address]);
    await remove(containerd, here.id);
    await remove(other, there.id);
    await leaves(before[0] as Footprint);
    await leaves(before[1] as Footprint, other);
  });

  lab.proof("opens a hostPort through portmap, for IPv4 and IPv6, and closes it with the pod", async () => {
    const before = await now();
    const rules = () => must(["nft", "list", "ruleset"], { netns: containerd.node.netns });
    const pod = { name: "web", ports: [{ containerPort: 8080, hostPort: 18080 }] };
    const { id } = await start(containerd, pod);
    await containerd.cri.container(id, pod, ["serve", "8080", "from the web"]);
    for (const from of [lab.netns("vm1"), other.node.netns])
      for (const address of containerd.node.addresses) expect(await told(from, address, 18080)).toBe("from the web");
    expect(await rules()).toContain("18080");
    await remove(containerd, id);
    expect(await rules()).not.toContain("18080");
    for (const address of containerd.node.addresses)
      await expect(told(lab.netns("vm1"), address, 18080)).rejects.toThrow(/refused/);
    await leaves(before);
  });

  lab.proof("starts a pod anew whose sandbox died, before the old one is stopped and after", async () => {
    const before = await now();
    const first = await start(containerd, { name: "reborn" });
    await killShimOf(containerd, first.id);
    await eventually("containerd noticed", 5, async () => !(await containerd.cri.status(first.id)).ready);
    const second = await start(containerd, { name: "reborn", attempt: 1 });
    await reaches(lab.netns("vm1"), second.addresses);
    await remove(containerd, first.id);
    await reaches(lab.netns("vm1"), second.addresses);
    expect((await now()).addresses).toHaveLength(before.addresses.length + 1);
    await remove(containerd, second.id);
    const third = await start(containerd, { name: "reborn", attempt: 2 });
    await reaches(lab.netns("vm1"), third.addresses);
    for (const address of first.addresses.filter((one) => !third.addresses.includes(one)))
      expect(await answers(lab.netns("vm1"), address)).toBe(false);
    await remove(containerd, third.id);
    await leaves(before);
  });

  lab.proof("frees a pod whose namespace is gone already, as after a reboot", async () => {
    const before = await now();
    const { id, info } = await start(containerd, { name: "rebooted" });
    const path = info.runtimeSpec.linux.namespaces.find(({ type }) => type === "network")?.path ?? "";
    await killShimOf(containerd, id);
    await must(["umount", path]);
    rmSync(path);
    await eventually("the pair is gone with it", 5, async () => (await now()).interfaces.length === 0);
    expect((await now()).addresses).not.toEqual(before.addresses);
    await remove(containerd, id);
    await leaves(before);
  });

  lab.proof(
    "starts 30 pods at once and removes them at once",
    async () => {
      const before = await now();
      const names = Array.from({ length: 30 }, (_, i) => `many-${i}`);
      const pods = await Promise.all(names.map((name) => start(containerd, { name })));
      const addresses = pods.flatMap((pod) => pod.addresses);
      expect(new Set(addresses).size).toBe(60);
      expect((await now()).interfaces).toHaveLength(before.interfaces.length + 30);
      for (const pod of [pods[0], pods.at(-1)]) await reaches(lab.netns("vm1"), pod?.addresses ?? []);
      await Promise.all(pods.map(({ id }) => remove(containerd, id)));
      await leaves(before);
    },
    110,
  );

  lab.proof("killed and started again, knows its pods and their addresses, and frees them", async () => {
    const before = await now();
    const pod = await start(containerd, { name: "survivor", ports: [{ containerPort: 8080, hostPort: 18081 }] });
    await end(containerd.process());
    await reaches(lab.netns("vm1"), pod.addresses);
    await containerd.launch();
    expect(await containerd.cri.status(pod.id)).toMatchObject({ ready: true, addresses: pod.addresses });
    await remove(containerd, pod.id);
    await leaves(before);
  });

  describe("with the agent killed", () => {
    const agent = () => processIn(containerd.node.netns, "agent", "--config");
    const again = (former: ReturnType<typeof agent>) => startAgain(former, `${lab.plan.log}/r1n1-agent-again.log`);
    const pending = () => run(["ls", `${containerd.node.stateDir}/pending-del`]).then(({ stdout }) => stdout.trim());

    lab.proof("stops and removes pods all the same; the agent that comes back frees them", async () => {
      const before = await now();
      const ports = [{ containerPort: 8080, hostPort: 18082 }];
      const [gone, kept] = [
        await start(containerd, { name: "gone", ports }),
        await start(containerd, { name: "kept" }),
      ];
      const former = agent();
      await end(former);
      await remove(containerd, gone.id);
      expect(await pending()).toBe(`${gone.id}-eth0`);
      await reaches(lab.netns("vm1"), kept.addresses);
      again(former);
      await settled(containerd.node);
      await eventually(
        "the one is freed",
        10,
        async () => (await now()).addresses.length === before.addresses.length + 1,
      );
      await reaches(lab.netns("vm1"), kept.addresses);
      await remove(containerd, kept.id);
      await leaves(before);
    });

    lab.proof("says why a pod cannot start, leaves nothing, and starts it once the agent is back", async () => {
      const before = await now();
      const former = agent();
      await end(former);
      await expect(containerd.cri.run({ name: "early" })).rejects.toThrow(/the overland agent does not answer/);
      expect(await containerd.cri.list()).toEqual([]);
      again(former);
      await settled(containerd.node);
      const { id, addresses } = await start(containerd, { name: "early" });
      await reaches(lab.netns("vm1"), addresses);
      await remove(containerd, id);
      await eventually("the DEL of the first attempt is done with", 10, async () => (await pending()) === "");
      await leaves(before);
    });

    lab.proof(
      "among 20 pods that start: each starts or fails whole, and those that failed start later",
      async () => {
        const before = await now();
        const names = Array.from({ length: 20 }, (_, i) => `torn-${i}`);
        const former = agent();
        const early = names.slice(0, 10).map((name) => containerd.cri.run({ name }));
        await eventually("the first one is there", 20, async () => (await now()).interfaces.length > 0);
        const ended = end(former);
        const late = names.slice(10).map((name) => containerd.cri.run({ name }));
        await ended;
        const outcome = await Promise.allSettled([...early, ...late]);
        again(former);
        await settled(containerd.node);
        const failed = names.filter((_, i) => outcome[i]?.status === "rejected");
        expect(failed.length).toBeGreaterThan(0);
        const later = await Promise.all(failed.map((name) => containerd.cri.run({ name, attempt: 1 })));
        const ids = [...outcome.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])), ...later];
        expect(ids).toHaveLength(20);
        const pods = await Promise.all(ids.map((id) => containerd.cri.status(id)));
        expect(new Set(pods.flatMap(({ addresses }) => addresses)).size).toBe(40);
        for (const { addresses } of pods) await reaches(lab.netns("vm1"), addresses);
        await Promise.all(ids.map((id) => remove(containerd, id)));
        await eventually("nothing is left to do", 10, async () => (await pending()) === "");
        await leaves(before);
      },
      110,
    );
  });

  lab.proof("leaves no trace on the machine when it is told to go in the middle of its work", async () => {
    for (const name of ["left", "behind"]) await start(other, { name });
    const held = shims(other);
    expect(held).toHaveLength(2);
    await other.destroy();
    expect(shims(other)).toEqual([]);
    expect(existsSync(other.directory)).toBe(false);
    expect(await must(["cat", "/proc/self/mountinfo"])).not.toContain(other.directory);
    expect((await must(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", other.name])).trim()).toBe("");
  });
});
