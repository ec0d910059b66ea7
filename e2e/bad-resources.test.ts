/** Resource files with faults: every fault is told with file, line and field, and nothing of the file is applied. */
import { writeFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { records } from "./harness/etcd.ts";
import { ScenarioLab } from "./harness/lab.ts";

const lab = new ScenarioLab("e2efiles", { racks: 1, nodes: 1, pods: 0 });

const GOOD = `apiVersion: overland.dev/v1
kind: IPPool
metadata:
  name: good
spec:
  cidr: 10.200.0.0/24
---
`;

interface Case {
  /** Follows eight lines that are right. */
  readonly yaml: string;
  /** Line of the file and what is said about it. */
  readonly says: RegExp;
}

const head = (kind: string) => `apiVersion: overland.dev/v1\nkind: ${kind}\nmetadata:\n  name: bad\nspec:\n`;

const cases: Record<string, Case> = {
  "an unknown field": {
    yaml: `${head("IPPool")}  cidr: 10.201.0.0/24\n  blokSize: 26\n`,
    says: /:14: spec\.blokSize: .*blockSize/,
  },
  "a value of the wrong kind": { yaml: `${head("IPPool")}  cidr: 17\n`, says: /:13: spec\.cidr: / },
  "a CIDR that is none": {
    yaml: `${head("IPPool")}  cidr: 10.201.0.0/33\n`,
    says: /:13: spec\.cidr: .*10\.201\.0\.0\/33/,
  },
  "a CIDR with host bits": { yaml: `${head("IPPool")}  cidr: 10.201.0.1/24\n`, says: /:13: spec\.cidr: / },
  "a pool that overlaps another": {
    yaml: `${head("IPPool")}  cidr: 10.244.7.0/24\n`,
    says: /:13: spec\.cidr: .*overlaps pool pods-ipv4/,
  },
  "a pool that overlaps another of the file": {
    yaml: `${head("IPPool")}  cidr: 10.200.0.0/20\n`,
    says: /spec\.cidr: .*overlaps pool (good|bad)/,
  },
  "a pool smaller than one of its blocks": {
    yaml: `${head("IPPool")}  cidr: 10.201.0.0/27\n`,
    says: /:13: spec\.cidr: .*smaller than one block of \/26/,
  },
  "another CIDR and another block size for a pool there is": {
    yaml: `${head("IPPool").replace("bad", "pods-ipv4")}  cidr: 10.201.0.0/16\n  blockSize: 28\n`,
    says: /:13: spec\.cidr: .*cannot change, it is 10\.244\.0\.0\/16[^]*:14: spec\.blockSize: 28: cannot change/,
  },
  "a tunnel": { yaml: `${head("IPPool")}  cidr: 10.201.0.0/24\n  vxlanMode: Always\n`, says: /:14: spec\.vxlanMode: / },
  "an AS number out of range": {
    yaml: `${head("BGPPeer")}  peerIP: 10.1.1.1\n  asNumber: 4294967296\n`,
    says: /:14: spec\.asNumber: /,
  },
  "a peer without an AS": { yaml: `${head("BGPPeer")}  peerIP: 10.1.1.1\n`, says: /spec\.asNumber: is required/ },
  "a selector that cannot be read": {
    yaml: `${head("BGPPeer")}  nodeSelector: rack = 1\n  peerIP: 10.1.1.1\n  asNumber: 65001\n`,
    says: /:13: spec\.nodeSelector: /,
  },
  "a hold time of one second": {
    yaml: `${head("BGPPeer")}  peerIP: 10.1.1.1\n  asNumber: 65001\n  holdTime: 1s\n`,
    says: /:15: spec\.holdTime: /,
  },
  "an unknown kind": { yaml: head("Peppermint").replace("spec:\n", ""), says: /:9: kind: .*Peppermint/ },
  "what is no YAML": { yaml: "kind: [unclosed\n", says: /:\d+: / },
};

describe("apply", () => {
  for (const [what, { yaml, says }] of Object.entries(cases)) {
    lab.proof(`refuses a file with ${what} as a whole`, async () => {
      const before = await records(lab.plan, "resources/");
      const file = `${lab.plan.directory}/faulty.yaml`;
      writeFileSync(file, GOOD + yaml);
      const { code, stdout, stderr } = await lab.overland(["apply", "-f", file]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(says);
      expect(stderr).toContain(`${file}:`);
      expect(stderr).toMatch(/nothing was applied/);
      expect(await records(lab.plan, "resources/")).toEqual(before);
    });
  }

  lab.proof("tells every fault of a file at once", async () => {
    const pool = `${head("IPPool")}  cidr: nonsense\n  blockSize: many\n---\n`;
    const input = `${GOOD}${pool}${head("BGPPeer")}  peerIP: here\n`;
    const { code, stderr } = await lab.overland(["apply", "-f", "-"], { input });
    expect(code).toBe(1);
    expect(stderr).toMatch(/spec\.cidr/);
    expect(stderr).toMatch(/spec\.blockSize/);
    expect(stderr).toMatch(/spec\.peerIP/);
  });

  lab.proof("of a file that is not there, and no file at all, is wrong usage", async () => {
    const absent = await lab.overland(["apply", "-f", "/nowhere.yaml"]);
    expect(absent).toMatchObject({ code: expect.any(Number), stderr: expect.stringContaining("/nowhere.yaml") });
    expect(absent.code).not.toBe(0);
    expect((await lab.overland(["apply"])).code).toBe(2);
  });

  lab.proof("with etcd out of reach fails in a sentence within seconds", async () => {
    const environment = { ETCD_ENDPOINTS: "http://192.168.250.99:2379" };
    const { code, stderr, milliseconds } = await lab.overland(["apply", "-f", "-"], { input: GOOD, environment });
    expect(code).toBe(1);
    expect(stderr).toMatch(/etcd at http:\/\/192\.168\.250\.99:2379 cannot be used/);
    expect(milliseconds).toBeLessThan(10_000);
  });
});

describe("delete", () => {
  lab.proof("of what does not exist deletes nothing of what it was asked", async () => {
    const before = await records(lab.plan, "resources/");
    const { code, stderr } = await lab.overland(["delete", "bgppeer", "tor1", "nobody"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("BGPPeer nobody does not exist") });
    expect(await records(lab.plan, "resources/")).toEqual(before);
  });
});
