/**
 * What a container runtime gets while a part is away: code 11 ("try again later") within seconds for what cannot be
 * done
 * now, success for DEL, which is finished when the part is back, and at the end nothing is left of what failed.
 */
import { describe, expect } from "@jest/globals";
import { agentView } from "./harness/agent.ts";
import {
  add,
  addressesOf,
  type CniError,
  cni,
  del,
  newSandbox,
  readError,
  removeSandbox,
  type Sandbox,
} from "./harness/cni.ts";
import { handles } from "./harness/etcd.ts";
import { type Footprint, footprint, podInterfaces } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, frozen, type Process, processIn, startAgain } from "./harness/processes.ts";
import { reaches } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2eagain", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const agent = () => processIn(node().netns, "agent", "--config");
const etcd = () => processIn(lab.plan.etcd.netns, "etcd", "--data-dir");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

const TRY_AGAIN = 11;
const NOT_AVAILABLE = 50;
/** "A few seconds": longer than one call to etcd may take, far shorter than a runtime's own limit. */
const SOON_MS = 12_000;

async function refusedSoon(sandbox: Sandbox, command = "ADD"): Promise<CniError> {
  const answer = await cni(command, node(), sandbox);
  const error = readError(answer);
  expect(error.code).toBe(TRY_AGAIN);
  expect(answer.milliseconds).toBeLessThan(SOON_MS);
  return error;
}

const comesBackTo = (before: Footprint, seconds = 15): Promise<boolean> =>
  eventually("nothing is left of what failed or was deleted", seconds, async () => {
    expect(await now()).toEqual(before);
    return true;
  });

const restart = (former: Process, name: string): void => startAgain(former, `${lab.plan.log}/${name}-again.log`);

const ready = (seconds = 20): Promise<boolean> =>
  eventually("the agent is ready", seconds, async () => (await agentView(node())).ready);

/** Ends the part, works, starts it again in any case. */
async function without(part: Process, name: string, work: () => Promise<void>): Promise<void> {
  await end(part);
  try {
    await work();
  } finally {
    restart(part, name);
  }
}

const ipam = {
  ipam: {
    type: "overland-ipam",
    assign_ipv4: "true",
    assign_ipv6: "true",
    ipv4_pools: ["tiny-ipv4"],
    ipv6_pools: ["tiny-ipv6"],
  },
};
const tinyPool = (name: string, cidr: string, blockSize: number): string => `---
apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: ${name}}
spec: {cidr: "${cidr}", blockSize: ${blockSize}, assignmentMode: Manual}
`;
const tiny: Sandbox[] = [];
let freed: readonly string[] = [];

describe("a pool that is full", () => {
  lab.proof("refuses with words that say so, and takes nothing from the pool of the other family", async () => {
    // Eight IPv6 addresses and four of IPv4: the fifth pod must not get an IPv6 address alone.
    await lab.apply(tinyPool("tiny-ipv4", "10.250.0.0/30", 30) + tinyPool("tiny-ipv6", "fd00:250::/125", 126));
    for (let i = 0; i < 5; i++) tiny.push(await newSandbox(lab.name, `tiny${i}`));
    for (const sandbox of tiny.slice(0, 4)) await add(node(), sandbox, ipam);
    const before = await now();
    const last = tiny[4] as Sandbox;
    const error = readError(await cni("ADD", node(), last, ipam));
    expect(error.code).toBe(TRY_AGAIN);
    expect(error.msg).toContain("10.250.0.0/30");
    expect(error.msg).not.toContain("fd00:250::");
    expect(await now()).toEqual(before);
    await del(node(), last);
    expect(await now()).toEqual(before);
  });

  lab.proof("does not hand out at once what was just released", async () => {
    const first = tiny[0] as Sandbox;
    freed = (await handles(lab.plan)).get(`overland.${first.containerID}.eth0`) ?? [];
    await del(node(), first);
    const error = readError(await cni("ADD", node(), tiny[4] as Sandbox, ipam));
    expect(error).toMatchObject({ code: TRY_AGAIN, msg: expect.stringContaining("released less than") });
  });
});

describe("the agent is not running", () => {
  lab.proof("ADD and CHECK are told to try again, STATUS that it is not available; DEL is finished later", async () => {
    const before = await now();
    const [kept, gone, refused] = await Promise.all(
      ["kept", "gone", "refused"].map((pod) => newSandbox(lab.name, pod)),
    );
    if (kept === undefined || gone === undefined || refused === undefined) throw new Error("unreachable");
    await add(node(), kept);
    const withKept = await now();
    await add(node(), gone);
    await without(agent(), "agent", async () => {
      await refusedSoon(refused);
      await refusedSoon(kept, "CHECK");
      expect(readError(await cni("STATUS", node(), kept)).code).toBe(NOT_AVAILABLE);
      expect((await cni("VERSION", node(), kept)).code).toBe(0);
      await del(node(), refused);
      await del(node(), gone);
      await removeSandbox(gone);
    });
    await ready();
    await comesBackTo(withKept);
    expect((await cni("CHECK", node(), kept)).code).toBe(0);
    await add(node(), refused);
    for (const sandbox of [kept, refused]) await del(node(), sandbox);
    expect(await now()).toEqual(before);
    for (const sandbox of [kept, refused]) await removeSandbox(sandbox);
  });
});

describe("the agent is frozen", () => {
  lab.proof("ADD is told to try again within seconds, DEL succeeds, and nothing is left when it runs on", async () => {
    const before = await now();
    const [wanted, gone] = [await newSandbox(lab.name, "wanted"), await newSandbox(lab.name, "gone")];
    await add(node(), gone);
    await frozen(agent(), async () => {
      await Promise.all([refusedSoon(wanted), del(node(), gone)]);
    });
    await del(node(), wanted);
    await comesBackTo(before);
    for (const sandbox of [wanted, gone]) await removeSandbox(sandbox);
  });
});

describe("etcd is away", () => {
  const cases = {
    stopped: (work: () => Promise<void>) => without(etcd(), "etcd", work),
    frozen: (work: () => Promise<void>) => frozen(etcd(), work),
  };
  for (const [how, away] of Object.entries(cases)) {
    lab.proof(`${how}: ADD is told to try again within seconds, DEL takes the interface away at once`, async () => {
      const before = await now();
      const names = ["kept", "gone", "one", "two", "three"];
      const [kept, gone, ...refused] = await Promise.all(names.map((pod) => newSandbox(lab.name, pod)));
      if (kept === undefined || gone === undefined) throw new Error("unreachable");
      const addresses = addressesOf(await add(node(), kept));
      const withKept = await now();
      await add(node(), gone);
      await away(async () => {
        const errors = await Promise.all(refused.map((sandbox) => refusedSoon(sandbox)));
        for (const error of errors) expect(error.msg).toContain("etcd");
        await Promise.all([gone, ...refused].map((sandbox) => del(node(), sandbox)));
        expect(await podInterfaces(node())).toEqual(withKept.interfaces);
        // What runs goes on, and is still known.
        await reaches(lab.netns("vm1"), addresses);
        expect((await cni("CHECK", node(), kept)).code).toBe(0);
      });
      await comesBackTo(withKept);
      await del(node(), kept);
      await comesBackTo(before);
      for (const sandbox of [kept, gone, ...refused]) await removeSandbox(sandbox);
    });
  }

  lab.proof("for a while: the DEL that waits for it is not done to the container's next ADD", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "again");
    await add(node(), sandbox);
    await frozen(etcd(), () => del(node(), sandbox));
    const addresses = addressesOf(await add(node(), sandbox));
    // Longer than the agent leaves between two looks at what is waiting.
    await always("the pod stays", 5.5, async () => (await cni("CHECK", node(), sandbox)).code === 0);
    expect([...(await handles(lab.plan)).values()]).toContainEqual(addresses);
    await reaches(lab.netns("vm1"), addresses);
    await del(node(), sandbox);
    await comesBackTo(before);
    await removeSandbox(sandbox);
  });

  lab.proof("from the agent's start: it answers all the same, and is ready when etcd is back", async () => {
    const before = await now();
    const [gone, refused] = [await newSandbox(lab.name, "gone"), await newSandbox(lab.name, "refused")];
    await add(node(), gone);
    await without(etcd(), "etcd", async () => {
      const former = agent();
      await end(former, "SIGTERM");
      restart(former, "agent");
      await eventually("the agent answers and is not ready", 10, async () => !(await agentView(node())).ready);
      expect((await refusedSoon(refused)).msg).toContain("cannot serve pods yet");
      expect(readError(await cni("STATUS", node(), gone)).code).toBe(NOT_AVAILABLE);
      await del(node(), gone);
      await del(node(), refused);
    });
    await ready();
    await comesBackTo(before);
    expect((await cni("STATUS", node(), gone)).code).toBe(0);
    for (const sandbox of [gone, refused]) await removeSandbox(sandbox);
  });
});

describe("what was released", () => {
  lab.proof("goes to the next pod once it has rested, and the records agree after all that", async () => {
    const last = tiny[4] as Sandbox;
    const result = await eventually("the full pool serves again", 40, () => add(node(), last, ipam));
    expect(addressesOf(result)).toContain(freed[0]);
    for (const sandbox of tiny) await del(node(), sandbox);
    const { code, stdout } = await lab.overland(["ipam", "check"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("No problem was found.") });
    expect([...(await handles(lab.plan)).keys()]).toEqual([]);
  });
});
