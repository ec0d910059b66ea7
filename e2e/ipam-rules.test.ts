/**
 * What IPAMConfiguration and IPReservation say holds for real pods: a node at its limit that may not borrow refuses in
 * words, reserved addresses stay free, and what is allowed again is in force within two seconds.
 */
import { describe, expect } from "@jest/globals";
import { add, addressesOf, cni, del, newSandbox, readError, removeSandbox, type Sandbox } from "./harness/cni.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2erules", { racks: 1, nodes: 2, pods: 0 });
const [n1, n2] = [() => lab.node("r1n1"), () => lab.node("r1n2")];

const IN_FORCE_S = 2;

const resource = (kind: string, name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec })}\n---\n`;

/** Two blocks of two addresses, the second of each reserved; the lab's IPv6 pool is off. */
const resources = [
  resource("IPPool", "pods-ipv6", { cidr: "fd00:244::/48", blockSize: 122, disabled: true }),
  resource("IPPool", "tiny", { cidr: "10.244.77.0/30", blockSize: 31, allowedUses: ["Workload"] }),
  resource("IPReservation", "odd", { reservedCIDRs: ["10.244.77.1", "10.244.77.3/32"] }),
  resource("IPAMConfiguration", "default", { strictAffinity: true, maxBlocksPerHost: 1, ipCooldownSeconds: 0 }),
].join("");

const pods: { readonly node: ReturnType<typeof n1>; readonly sandbox: Sandbox; readonly address: string }[] = [];

async function pod(node: ReturnType<typeof n1>, name: string): Promise<string> {
  const sandbox = await newSandbox(lab.name, name);
  const [address = ""] = addressesOf(await add(node, sandbox));
  pods.push({ node, sandbox, address });
  return address;
}

async function refusalOf(node: ReturnType<typeof n1>): Promise<string> {
  const sandbox = await newSandbox(lab.name, "refused");
  const { code, msg, details } = readError(await cni("ADD", node, sandbox));
  expect(code).toBe(11);
  await removeSandbox(sandbox);
  return `${msg} ${details ?? ""}`;
}

/** The tiny pool's row of `overland ipam show`. */
async function usage(): Promise<Record<string, unknown>> {
  const rows = JSON.parse((await lab.overland(["ipam", "show", "-o", "json"])).stdout) as { pool: string }[];
  return rows.find((row) => row.pool === "tiny") as Record<string, unknown>;
}

describe("with strictAffinity, one block a node and reservations", () => {
  lab.proof("each node gives out what its block has, and then says why not more", async () => {
    await lab.delete("ippool", "pods-ipv4");
    await lab.apply(resources);
    const given: string[] = [];
    for (const node of [n1(), n2()]) {
      await eventually(`${node.name} knows the pool`, IN_FORCE_S, async () => given.push(await pod(node, "first")));
    }
    expect(given.sort()).toEqual(["10.244.77.0", "10.244.77.2"]);
    const why = await refusalOf(n1());
    expect(why).toContain("node r1n1 has no free IPv4 address in its 1 block (no more with maxBlocksPerHost 1");
    expect(why).toContain("strictAffinity forbids borrowing: delete pods, or overland ipam configure");
    expect(await usage()).toMatchObject({ total: 4, inUse: 2, reserved: 2, resting: 0, free: 0 });
  });

  lab.proof("the rest is given when the reservation goes, and borrowed when that is allowed", async () => {
    await lab.delete("ipreservation", "odd");
    await eventually("the reservation is gone", IN_FORCE_S, async () => (await pod(n1(), "three")) !== "");
    const { code, stdout } = await lab.overland(["ipam", "configure", "--strictaffinity", "false"]);
    expect([code, stdout]).toEqual([0, "strictAffinity: true -> false\n"]);
    await eventually("borrowing is allowed", IN_FORCE_S, async () => (await pod(n1(), "four")) !== "");
    expect(new Set(pods.map(({ address }) => address)).size).toBe(4);
    expect(await usage()).toMatchObject({ total: 4, inUse: 4, reserved: 0, free: 0 });
    const borrowed = JSON.parse((await lab.overland(["ipam", "show", "--show-borrowed", "-o", "json"])).stdout);
    expect(borrowed).toEqual([
      expect.objectContaining({ address: pods.at(-1)?.address, borrower: "r1n1", owner: "r1n2" }),
    ]);
    for (const { address } of pods) await reaches(lab.netns("vm1"), [address]);
    expect((await lab.overland(["ipam", "check"])).stdout).toContain("No problem was found.");
  });

  lab.proof("nothing is left when the pods are gone", async () => {
    for (const { node, sandbox } of pods) await del(node, sandbox);
    expect(await usage()).toMatchObject({ inUse: 0, free: 4 });
  });
});
