import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { type EtcdUnderTest, freePort, overland, startEtcd } from "./program-under-test.ts";

// A busy machine starts a program in a second, and a test starts several.
jest.setTimeout(30_000);

const EXAMPLES = new URL("../../manifests/examples", import.meta.url).pathname;
const LAUNCHER = new URL("../overland", import.meta.url).pathname;
const POOL = "{apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: a}, spec: {cidr: 10.244.0.0/16}}";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "overland-cli-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the command line", () => {
  it("helps with 0, and answers wrong usage with 2 and a hint", async () => {
    const help = await overland(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const command of ["apply", "get", "delete", "validate", "node", "version"])
      expect(help.stdout).toContain(command);
    expect(await overland(["aply"])).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean apply?") });
    expect(await overland(["get", "ippol"])).toEqual({
      code: 2,
      stdout: "",
      stderr: '"ippol" is no kind of resource; did you mean ippool?\n',
    });
  });

  it("can be called through links, by its version too", async () => {
    const link = join(folder, "overland");
    symlinkSync(LAUNCHER, link);
    const child = spawn(link, ["version"], { env: { PATH: process.env["PATH"] ?? "" } });
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    await once(child, "close");
    expect(text.toString()).toMatch(/^overland \d+\.\d+\.\d+ \(Node\.js v\d+/);
  });

  it("says in a sentence that etcd is away, or unknown", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const away = await overland(["get", "pools"], { ETCD_ENDPOINTS: endpoint });
    expect(away).toMatchObject({ code: 1, stdout: "" });
    expect(away.stderr).toContain(`etcd at ${endpoint} cannot be used: `);
    expect(await overland(["get", "pools", "--etcd-endpoints", "nowhere"])).toMatchObject({
      code: 2,
      stderr: '--etcd-endpoints: "nowhere" is not an etcd endpoint such as http://10.1.1.1:2379\n',
    });
  });
});

describe("validate", () => {
  it("checks files, directories and standard input without a cluster", async () => {
    expect(await overland(["validate", "-f", EXAMPLES])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+ resources checked, no fault\n$/),
      stderr: "",
    });
    expect(await overland(["validate", "-f", "-"], {}, POOL)).toMatchObject({
      code: 0,
      stdout: "1 resource checked, no fault\n",
    });
  });

  it("sees what resources are to one another", async () => {
    const twice = `${POOL}\n---\n${POOL.replace("name: a", "name: b")}\n`;
    const { code, stderr } = await overland(["validate", "-f", "-"], {}, twice);
    expect(code).toBe(1);
    expect(stderr).toContain("<stdin>:3: spec.cidr: 10.244.0.0/16 overlaps pool a (10.244.0.0/16)");
  });

  it("lists the faults of all files, and of what is no file", async () => {
    const [bad, odd] = [join(folder, "bad.yaml"), join(folder, "odd.yaml")];
    writeFileSync(bad, POOL.replace("10.244.0.0/16", "10.244.0.1/16"));
    writeFileSync(odd, Buffer.from([0x61, 0xff, 0xfe]));
    const missing = join(folder, "missing.yaml");
    const { code, stdout, stderr } = await overland(["validate", "-f", bad, "-f", odd, missing]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr.split("\n")).toEqual([
      `${bad}:1: spec.cidr: "10.244.0.1/16" has host bits set; did you mean 10.244.0.0/16?`,
      `${odd}: is not UTF-8 text`,
      `${missing}: does not exist`,
      "3 faults",
      "",
    ]);
  });
});

describe("the agent", () => {
  it("does not start with a configuration that is wrong, and names every fault", async () => {
    const file = join(folder, "agent.yaml");
    writeFileSync(file, "nodeName: a\nsockt: /x\n");
    expect(await overland(["agent", "--config", file, "--as-number", "0"])).toEqual({
      code: 2,
      stdout: "",
      stderr: `--as-number: 0 is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535
${file}:2: sockt: unknown field; did you mean socket?
`,
    });
  });
});

describe("resources in a real etcd", () => {
  let etcd: EtcdUnderTest;
  let env: Record<string, string>;

  beforeAll(async () => {
    etcd = await startEtcd();
    env = { ETCD_ENDPOINTS: etcd.endpoint };
  }, 20_000);

  afterAll(() => etcd?.stop());

  beforeEach(() => etcd.clear());

  it("are applied, shown and deleted", async () => {
    const file = join(EXAMPLES, "bgppeer.yaml");
    expect((await overland(["apply", "-f", file], env)).stdout).toBe(
      "bgppeer/rack1-tor created\nbgppeer/lab-firewall created\nbgppeer/to-hubs created\n",
    );
    expect((await overland(["apply", "-f", file, "-o", "name"], env)).stdout).toMatch(/^bgppeer\/rack1-tor\n/);
    expect(await overland(["get", "bgpp"], env)).toEqual({
      code: 0,
      stderr: "",
      stdout: `NAME           PEERIP        NODE               ASN
lab-firewall   10.10.1.200   rack1-node1        65100
rack1-tor      10.10.1.1     rack == 'rack-1'   65001
to-hubs        has(hub)      all()              <none>
`,
    });
    expect(await overland(["delete", "BGPPeers", "rack1-tor", "to-hubs"], env)).toMatchObject({
      code: 0,
      stdout: "bgppeer/rack1-tor deleted\nbgppeer/to-hubs deleted\n",
    });
    expect((await overland(["get", "bgppeer", "-o", "name"], env)).stdout).toBe("bgppeer/lab-firewall\n");
  });

  it("come out as they went in", async () => {
    await overland(["apply", "-f", EXAMPLES], env);
    const yaml = await overland(["get", "node", "rack1-node1", "-o", "yaml"], env);
    expect(yaml.stdout).toMatch(/^apiVersion: overland\.dev\/v1\nkind: Node\nmetadata:\n {2}name: rack1-node1\n/);
    expect(await overland(["apply", "-f", "-"], env, yaml.stdout)).toMatchObject({
      code: 0,
      stdout: "node/rack1-node1 unchanged\n",
    });
    const list = JSON.parse((await overland(["get", "POOL", "-o", "json"], env)).stdout);
    expect(list).toMatchObject({
      kind: "IPPoolList",
      items: [{ kind: "IPPool" }, { kind: "IPPool" }, { kind: "IPPool" }],
    });
    expect((await overland(["get", "node", "rack1-node1", "-o", "wide"], env)).stdout).toBe(
      "NAME          ASN     IPV4            IPV6\nrack1-node1   64513   10.10.1.11/24   fd00:10:1::11/64\n",
    );
    expect((await overland(["get", "bgpfilter", "edge"], env)).stdout).toBe(
      "NAME   IMPORTV4   EXPORTV4   IMPORTV6   EXPORTV6\nedge   4          2          2          0\n",
    );
  });

  it("are refused whole when one of them is", async () => {
    await overland(["apply", "-f", "-"], env, POOL);
    const overlapping = POOL.replace("name: a", "name: b").replace("10.244.0.0/16", "10.244.8.0/24");
    const other = POOL.replace("name: a", "name: c").replace("10.244", "10.250");
    const refused = await overland(["apply", "-f", "-"], env, `${other}\n---\n${overlapping}\n`);
    expect(refused).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "<stdin>:3: spec.cidr: 10.244.8.0/24 overlaps pool a (10.244.0.0/16); " +
        "pools must not share addresses\n1 fault; nothing was applied\n",
    });
    expect(await overland(["get", "ippool", "c"], env)).toEqual({
      code: 1,
      stdout: "",
      stderr: 'IPPool "c" does not exist\n',
    });
    expect(await overland(["delete", "ippool", "c"], env)).toMatchObject({
      code: 1,
      stderr: "IPPool c does not exist\nnothing was deleted\n",
    });
  });

  it("do not mind a reader who has seen enough", async () => {
    await overland(["apply", "-f", EXAMPLES], env);
    const child = spawn(LAUNCHER, ["get", "ippool", "-o", "json"], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
    });
    let stderr = "";
    child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
    child.stdout.destroy();
    const [code] = (await once(child, "close")) as [number];
    expect([code, stderr]).toEqual([0, ""]);
  });
});

describe("node status", () => {
  it("shows the sessions that the agent tells of", async () => {
    const socket = join(folder, "agent.sock");
    const peer = { name: "tor1", type: "node specific", asNumber: 65001, received: { ipv4: 3, ipv6: 2 }, families: [] };
    const status = {
      node: "n1",
      asNumber: 64512,
      routerID: "10.10.1.11",
      ready: false,
      notReady: ["1 of 2 sessions is not up"],
      peers: [
        { ...peer, address: "10.10.1.1", state: "Established", since: "2026-11-21T03:04:05.678Z", lastError: "" },
        {
          ...peer,
          address: "10.10.1.2",
          state: "Active",
          since: "",
          lastError: "Hold Timer Expired",
          received: undefined,
        },
      ],
      blocks: ["10.244.0.0/26"],
      routes: { installed: 12 },
    };
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/v1/status" ? 200 : 404;
      response.end(JSON.stringify(status));
    }).listen(socket);
    try {
      await once(server, "listening");
      expect(await overland(["node", "status", "--socket", socket])).toEqual({
        code: 0,
        stderr: "",
        stdout: `Node n1, AS 64512, router ID 10.10.1.11: not ready
  1 of 2 sessions is not up
Blocks: 10.244.0.0/26
Routes in the kernel: 12

IPv4 BGP status
PEER ADDRESS   PEER TYPE       AS      STATE   SINCE                 RECEIVED   ADVERTISED   INFO
10.10.1.1      node specific   65001   up      2026-11-21 03:04:05   3 + 2      0 + 0        Established
10.10.1.2      node specific   65001   start   <none>                0 + 0      0 + 0        Active: Hold Timer Expired

IPv6 BGP status
No IPv6 peers found.
`,
      });
      const json = await overland(["node", "status", "-o", "json"], { OVERLAND_SOCKET: socket });
      expect(JSON.parse(json.stdout)).toMatchObject({ node: "n1" });
    } finally {
      server.close();
    }
  });

  it.each([
    [
      "a speaker without an agent",
      { program: "speaker", asNumber: 65000, routerID: "192.0.2.1", peers: [] },
      (socket: string) =>
        `what listens at ${socket} is a speaker without an agent; ask for its sessions with ` +
        `overland bgp peers --socket ${socket}`,
    ],
    [
      "something else",
      { hello: 1 },
      (socket: string) => `what listens at ${socket} is not an Overland agent: it says nothing about peers`,
    ],
  ])("refuses %s in words, and as JSON", async (_, status, words) => {
    const socket = join(folder, "other.sock");
    const server = createServer((_request, response) => response.end(JSON.stringify(status))).listen(socket);
    try {
      await once(server, "listening");
      const error = words(socket);
      const asked = await overland(["node", "status", "--socket", socket]);
      expect(asked).toEqual({ code: 1, stdout: "", stderr: `${error}\n` });
      const json = await overland(["node", "status", "--socket", socket, "-o", "json"]);
      expect({ ...json, stdout: JSON.parse(json.stdout) }).toEqual({
        code: 1,
        stdout: { error },
        stderr: `${error}\n`,
      });
    } finally {
      server.close();
    }
  });

  it("says what to do when no agent is there", async () => {
    const socket = join(folder, "none.sock");
    expect(await overland(["node", "status", "--socket", socket])).toEqual({
      code: 1,
      stdout: "",
      stderr: `no agent runs here: ${socket} does not exist; start the agent, or name its socket with --socket\n`,
    });
  });
});
