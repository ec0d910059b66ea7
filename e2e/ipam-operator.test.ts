/**
 * An operator's night: the pool is full, an address is leaked, records are spoilt, a pool is split under its pods and
 * deleted. Each time what is wrong is said, and what was said to do puts it right.
 */
import { describe, expect } from "@jest/globals";
import { agentView, peerOf, statusText } from "./harness/agent.ts";
import { add, addressesOf, cni, del, newSandbox, readError, type Sandbox } from "./harness/cni.ts";
import { records, spoil } from "./harness/etcd.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { routerPrefixes } from "./harness/routers.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2eoper", { racks: 1, nodes: 2, pods: 0 });
const node = () => lab.node("r1n1");
const report = () => `${lab.plan.directory}/report.json`;

const pool = (name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: "overland.dev/v1", kind: "IPPool", metadata: { name }, spec })}\n---\n`;

/** IPv4 from this pool alone; IPv6 as ever. */
const from = (name: string) => ({ ipam: { type: "overland-ipam", ipv4_pools: [name] } });

interface Pod {
  readonly sandbox: Sandbox;
  readonly ipv4: string;
}

async function newPod(name: string, poolName: string): Promise<Pod> {
  const sandbox = await newSandbox(lab.name, name);
  const [ipv4 = ""] = addressesOf(await add(node(), sandbox, from(poolName)));
  return { sandbox, ipv4 };
}

const check = (...words: string[]) => lab.overland(["ipam", "check", ...words]);
const release = (...words: string[]) => lab.overland(["ipam", "release", ...words]);

async function allIsWell(): Promise<void> {
  const { code, stdout } = await check();
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("No problem was found.") });
}

/** Writes a record anew as `change` makes it of what is there. */
async function edit(key: string, change: (record: never) => object): Promise<void> {
  const text = (await records(lab.plan, key)).get(key) ?? "";
  await spoil(lab.plan, key, JSON.stringify(change(JSON.parse(text) as never)));
}

interface BlockRecord {
  readonly allocations: Readonly<Record<string, object>>;
  readonly released: Readonly<Record<string, number>>;
}

describe("a full pool, with an address that nobody has", () => {
  const pods: Pod[] = [];
  const BLOCK = "ipam/blocks/10.244.99.0-30";
  let lost = "";

  lab.proof("is shown as full, and who has which address", async () => {
    await lab.delete("ippool", "pods-ipv4");
    await lab.apply(pool("tiny", { cidr: "10.244.99.0/30", blockSize: 30 }));
    for (let i = 0; i < 4; i++) pods.push(await newPod(`tiny${i}`, "tiny"));
    const refused = await cni("ADD", node(), await newSandbox(lab.name, "fifth"), from("tiny"));
    expect(readError(refused).msg + (readError(refused).details ?? "")).toContain("tiny (10.244.99.0/30) has no free");
    const { stdout } = await lab.overland(["ipam", "show"]);
    expect(stdout).toMatch(/IP Pool +10\.244\.99\.0\/30 +4 +4 \(100%\) +0 +0 +0 \(0%\)\n/);
    const who = await lab.overland(["ipam", "show", "--ip", pods[0]?.ipv4 ?? ""]);
    expect(who.stdout).toMatch(/ is in use\n {2}pool: tiny\n {2}block: 10\.244\.99\.0\/30\n {2}blockOwner: r1n1\n/);
    expect(who.stdout).toContain("  pod: tiny0\n");
    await allIsWell();
  });

  lab.proof("is found to have a leak, which the report names with its evidence", async () => {
    const last = pods.pop() as Pod;
    lost = last.ipv4;
    await del(node(), last.sandbox);
    // As a node leaves it that was taken from the cluster with its pods running.
    const allocation = {
      handle: "lost",
      namespace: "e2e",
      pod: "lost",
      containerID: "c",
      ifName: "eth0",
      node: "gone",
    };
    await edit(BLOCK, ({ allocations, released, ...rest }: BlockRecord) => {
      const [ordinal = ""] = Object.keys(released);
      return {
        ...rest,
        released: {},
        allocations: { ...allocations, [ordinal]: { ...allocation, at: 1_700_000_000_000 } },
      };
    });
    const { namespace, pod, containerID, ifName, handle } = allocation;
    const workload = { handle, namespace, pod, containerID, ifName };
    const handleRecord = { addresses: [lost], blocks: ["10.244.99.0/30"], node: "gone", writer: "w", workload };
    await spoil(lab.plan, "ipam/handles/lost", JSON.stringify(handleRecord));

    const { code, stdout, stderr } = await check("--output-report", report());
    expect({ code, stderr }).toEqual({ code: 1, stderr: `report written to ${report()}\n` });
    const evidence = `${lost} of pod e2e/lost (handle lost, since 2023-11-14T22:13:20.000Z): node gone does not exist`;
    expect(stdout).toContain(`\n  ${evidence}\nProblems found: 1\n`);
    const dry = await release("--from-report", report(), "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: `would release: ${evidence}\n` });
  });

  lab.proof(
    "has room again once it is released, and no pod lost its own",
    async () => {
      const alive = pods[0] as Pod;
      const refused = await release("--ip", alive.ipv4);
      expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining("node r1n1 exists") });
      expect(await release("--from-report", report())).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^released:/),
      });
      await allIsWell();
      const show = await lab.overland(["ipam", "show", "--ip", lost]);
      expect(show.stdout).toContain("is not in use; it rests until ");
      await reaches(lab.netns("vm1"), [alive.ipv4]);
      const next = await eventually("the address has rested", 45, async () => {
        const sandbox = await newSandbox(lab.name, "next");
        const answer = await cni("ADD", node(), sandbox, from("tiny"));
        if (answer.code === 0) return { sandbox, ipv4: lost };
        await del(node(), sandbox);
        throw new Error(answer.stdout);
      });
      expect((await lab.overland(["ipam", "show", "--ip", lost])).stdout).toContain("  pod: next\n");
      // What the report says is history now.
      const late = await release("--from-report", report(), "--force");
      expect(late).toMatchObject({ code: 0, stdout: expect.stringMatching(/^not any more: /) });
      await reaches(lab.netns("vm1"), [lost]);
      pods.push(next);
    },
    90,
  );

  lab.proof("is not deleted while it is in use; then it goes, and what was announced of it", async () => {
    const refused = await lab.overland(["delete", "ippool", "tiny"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("4 addresses are in use (r1n1: 4); set spec.disabled: true");
    for (const { sandbox } of pods) await del(node(), sandbox);
    expect(await routerPrefixes(lab.router("tor1"))).toContain("10.244.99.0/30");
    await lab.delete("ippool", "tiny");
    await eventually("nobody announces it", 5, async () => {
      const { blocks } = await agentView(node());
      return (
        !blocks.includes("10.244.99.0/30") && !(await routerPrefixes(lab.router("tor1"))).includes("10.244.99.0/30")
      );
    });
    expect([...(await records(lab.plan, "ipam/")).keys()].filter((key) => key.includes("10.244.99."))).toEqual([]);
    await allIsWell();
  });
});

describe("a pool that is split under its pods", () => {
  lab.proof("keeps every address, session and route", async () => {
    await lab.apply(pool("wide", { cidr: "10.244.98.0/24", blockSize: 30 }));
    const pods = [];
    for (let i = 0; i < 6; i++) pods.push(await newPod(`wide${i}`, "wide"));
    const announced = async () =>
      (await routerPrefixes(lab.router("tor1"))).filter((one) => one.startsWith("10.244.98.")).sort();
    const before = await eventually("both blocks are announced", 5, async () => {
      const prefixes = await announced();
      return new Set(prefixes).size === 2 && prefixes;
    });
    const session = await peerOf(node(), "tor1");
    const { code, stdout } = await lab.overland(["ipam", "split", "4", "--name", "wide"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("2 blocks renamed") });
    await allIsWell();
    await eventually("the node has the new pools", 5, async () => {
      const sandbox = await newSandbox(lab.name, "after");
      const answer = await cni("ADD", node(), sandbox, from("split-wide-3"));
      await del(node(), sandbox);
      return answer.code === 0;
    });
    expect(await announced()).toEqual(expect.arrayContaining(before));
    expect((await peerOf(node(), "tor1")).since).toBe(session.since);
    for (const { ipv4 } of pods) await reaches(lab.netns("vm1"), [ipv4]);
    for (const { sandbox } of pods) await del(node(), sandbox);
    await allIsWell();
  });
});

describe("records that cannot be read", () => {
  lab.proof(
    "are named by node status and by check, each by its key, and the node goes on",
    async () => {
      await lab.apply(pool("four", { cidr: "10.244.97.0/24", blockSize: 30 }));
      const [kept, doomed] = [await newPod("kept", "four"), await newPod("doomed", "four")];
      const keys = [...(await records(lab.plan, "ipam/")).keys()];
      const spoilt = [
        keys.find((key) => key.startsWith("ipam/blocks/10.244.97.")),
        keys.find((key) => key.startsWith("ipam/affinities/r1n1/10.244.97.")),
        `ipam/handles/${encodeURIComponent(`overland.${doomed.sandbox.containerID}.eth0`)}`,
        "resources/bgppeers/spoilt",
      ].map((key) => key ?? "none");
      const sound = await records(lab.plan);
      for (const key of spoilt) await spoil(lab.plan, key, "{");

      const next = await newPod("next2", "four");
      await del(node(), doomed.sandbox);
      await eventually("the node says so", 10, async () => {
        const text = await statusText(node());
        for (const key of spoilt) expect(text).toContain(`Problem: /overland/v1/${key} in the store `);
        return true;
      });
      await reaches(lab.netns("vm1"), [kept.ipv4, next.ipv4]);
      const { code, stdout } = await check();
      expect(code).toBe(1);
      for (const key of spoilt) expect(stdout).toContain(`\n  /overland/v1/${key}`);
      expect((await lab.overland(["delete", "ippool", "four"])).stderr).toContain(
        "cannot be read (key /overland/v1/ipam/",
      );

      for (const key of spoilt) await spoil(lab.plan, key, sound.get(key));
      await eventually("all is well again", 15, async () => {
        expect((await agentView(node())).problems).toEqual([]);
        await allIsWell();
        // The DEL that met its spoilt handle was written down, and is finished now.
        expect([...(await records(lab.plan, "ipam/handles/")).keys()]).toHaveLength(2);
        return true;
      });
      for (const { sandbox } of [kept, next]) await del(node(), sandbox);
      await lab.delete("ippool", "four");
      await allIsWell();
    },
    90,
  );
});
