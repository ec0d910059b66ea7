/**
 * The image, as far as it can be made without pulling one: the Dockerfile's steps done to directories, and from what
 * comes out the programs of the manifests, started as the kubelet would, with the etcd of the overlay and its
 * certificates.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { ApiServer } from "./harness/api-server.ts";
import { must, run } from "./harness/command.ts";
import { eventually } from "./harness/wait.ts";
import { type Host, openHost, type User } from "./image/container.ts";
import { type Image, replayDockerfile } from "./image/replay.ts";

const MANIFESTS = fileURLToPath(new URL("../manifests/", import.meta.url));
const NODE = "cp1";
const ADDRESS = "10.10.1.11";

let image: Image;
let host: Host;
let server: ApiServer;
let folder: string;
const running: ChildProcess[] = [];

interface Container {
  readonly args: readonly string[];
  readonly command: readonly string[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly mountPropagation?: string;
  }[];
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: User;
  readonly containers: readonly [Container];
  readonly initContainers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}
interface Workload {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

function workload(file: string): PodSpec {
  const documents = parseAllDocuments(readFileSync(join(MANIFESTS, file), "utf8")).map((one) => one.toJS() as Workload);
  return (documents.find(({ kind }) => /DaemonSet|Deployment/.test(kind)) as Workload).spec.template.spec;
}

const agent = workload("base/agent.yaml");
const controller = workload("base/controller.yaml");
const CONTROLLER = controller.securityContext;
const onHost = (path: string) => join(folder, "host", path);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "overland-host-"));
  image = await replayDockerfile();
  cpSync(MANIFESTS, join(folder, "manifests"), { recursive: true });
  rmSync(join(folder, "manifests/overlays/etcd/certificates"), { recursive: true, force: true });
  await must([join(folder, "manifests/overlays/etcd/make-certificates.sh"), `${NODE}=${ADDRESS}`]);
  cpSync(join(folder, "manifests/overlays/etcd"), join(folder, "etcd"), { recursive: true });
  cpSync(join(MANIFESTS, "base/config"), join(folder, "config"), { recursive: true });
  cpSync(join(folder, "etcd/agent.yaml"), join(folder, "config/agent.yaml"));
  // As fsGroup has it: the controller's group may read them.
  await must(["chgrp", "-R", String(CONTROLLER.runAsGroup), join(folder, "etcd/certificates")]);
  await must(["chmod", "-R", "g+rX", join(folder, "etcd/certificates")]);
  // As a ConfigMap's are.
  await must(["chmod", "-R", "a+rX", join(folder, "config")]);
  const volumes: Record<string, string> = { config: join(folder, "config"), etcd: join(folder, "etcd/certificates") };
  const mounts = agent.containers[0].volumeMounts.map(({ name, mountPath, readOnly, mountPropagation }) => {
    const path = agent.volumes.find((volume) => volume.name === name)?.hostPath?.path;
    const from = path === undefined ? (volumes[name] as string) : onHost(path);
    // The init container writes where the agent only looks: one set of mounts serves both here.
    const propagated = mountPropagation === "HostToContainer";
    return { from, to: mountPath, readOnly: readOnly === true && name !== "cni-bin", propagated };
  });
  // /var/run is a link to /run in the image: out here it would lead to this machine's own.
  const account = { from: join(folder, "account"), to: "/run/secrets/kubernetes.io/serviceaccount" };
  host = await openHost(image, [...mounts, account], `${ADDRESS}/24`);
  await startEtcd();
  server = await ApiServer.start({ netns: host.netns, addresses: [ADDRESS] });
  await server.mustKubectl(["apply", "-k", join(folder, "manifests/overlays/etcd")], { timeoutMs: 90_000 });
  await server.put({ apiVersion: "v1", kind: "Node", metadata: { name: NODE, labels: { rack: "rack-1" } } });
}, 600_000);

/** What the kubelet mounts and sets for a pod with that account. */
async function asAccount(name: string): Promise<Record<string, string>> {
  const token = await server.serviceAccount(`overland-system/${name}`);
  const files = { token, "ca.crt": server.ca, namespace: "overland-system" };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, "account", file), text);
  const { hostname, port } = new URL(server.url);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, POD_NAMESPACE: "overland-system" };
}

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await server?.remove();
  await host?.stop();
  image?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** With the DaemonSet's own words. */
async function startEtcd(): Promise<void> {
  const [etcd] = workload("overlays/etcd/etcd.yaml").containers;
  const members = readFileSync(join(folder, "etcd/members.env"), "utf8").trim().split("\n");
  const variables = new Map<string, string>(members.map((line) => line.split(/=(.*)/s) as unknown as [string, string]));
  variables.set("NODE_NAME", NODE).set("HOST_IP", ADDRESS);
  const words = etcd.command.map((word) =>
    word
      .replace(/\$\((\w+)\)/g, (_, name: string) => variables.get(name) ?? "")
      .replace("/var/lib/etcd/", `${folder}/etcd-data/`)
      .replace("/certificates/", `${folder}/etcd/certificates/`),
  );
  const [file = "", ...rest] = host.command(["env", `ETCD_UNSUPPORTED_ARCH=${process.arch}`, ...words]);
  const log = openSync(join(folder, "etcd.log"), "w");
  running.push(spawn(file, rest, { stdio: ["ignore", log, log] }));
  await eventually("etcd is healthy, as its readiness probe asks", 60, async () => {
    const { stdout } = await run(host.command(["curl", "-s", "http://127.0.0.1:12381/health"]));
    if (!stdout.includes('"health":"true"'))
      throw new Error(readFileSync(join(folder, "etcd.log"), "utf8").slice(-2000));
    return true;
  });
}

async function startAgent(): Promise<ChildProcess> {
  const environment = { NODENAME: NODE, ...(await asAccount("overland-agent")) };
  const child = host.start(agent.containers[0].args, environment, join(folder, "agent.log"));
  running.push(child);
  return child;
}

const list = () => onHost("etc/cni/net.d/10-overland.conflist");

it("holds the built program and what it needs to run, and nothing more of ours", async () => {
  expect((await host.inside(["version"])).stdout).toMatch(/^overland \d+\.\d+\.\d+ \(Node\.js v24\./);
  expect((await host.inside(["agent", "--help"])).stdout).toContain("Usage: overland agent");
  const inside = join(image.root, "opt/overland");
  expect(readdirSync(inside).sort()).toEqual(["dist", "node_modules", "package.json", "src"]);
  expect(readdirSync(join(inside, "src"))).toEqual(["overland"]);
  for (const tool of ["typescript", "jest", "esbuild", "node"])
    expect(existsSync(join(inside, "node_modules", tool))).toBe(false);
});

it("its init container puts the plugin on the host, and no network list yet", async () => {
  const { code, stderr } = await host.inside(agent.initContainers[0].args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(readdirSync(onHost("opt/cni/bin")).sort()).toEqual(["overland", "overland-ipam"]);
  expect(existsSync(list())).toBe(false);
});

it("the agent becomes ready over TLS with a read-only root, and only then writes the network list", async () => {
  const child = await startAgent();
  await eventually("the network list is there", 60, () => Promise.resolve(existsSync(list())));
  await eventually("the readiness probe succeeds", 60, async () => {
    expect(await must(host.command(["curl", "-sf", "http://127.0.0.1:9179/readyz"]))).toContain("ok");
    return true;
  });
  expect(await must(host.command(["curl", "-sf", "http://127.0.0.1:9179/livez"]))).toContain("ok");
  expect((JSON.parse(readFileSync(list(), "utf8")) as { plugins: object[] }).plugins).toEqual([{ type: "overland" }]);
  const status = await host.inside(["node", "status"]);
  expect(status.stdout).toContain(NODE);
  expect(status.stdout).not.toContain("Problem");

  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await eventually("SIGTERM ends it within the grace period", agent.terminationGracePeriodSeconds, () =>
    Promise.resolve(child.exitCode !== null),
  );
  expect(await ended).toBe(0);
  expect(existsSync(list())).toBe(true);
});

it("the controller accepts a pool as its own user, with the rights of its account", async () => {
  const environment = await asAccount("overland-controller");
  await server.forgetRequests();
  running.push(host.start(controller.containers[0].args, environment, join(folder, "controller.log"), CONTROLLER));
  await eventually("its readiness probe succeeds", 60, async () => {
    const { stdout } = await run(host.command(["curl", "-s", "http://127.0.0.1:9180/readyz"]));
    if (!stdout.startsWith("ok"))
      throw new Error(stdout + readFileSync(join(folder, "controller.log"), "utf8").slice(-2000));
    return true;
  });
  await server.mustKubectl(["apply", "-f", join(MANIFESTS, "overlays/dual-stack/pools.yaml")]);
  await eventually("both pools are accepted", 30, async () => {
    const said = await server.mustKubectl(["get", "ipp", "-o", `jsonpath={.items[*].status.conditions[*].status}`]);
    if (said !== "True True") throw new Error(readFileSync(join(folder, "controller.log"), "utf8").slice(-2000));
    return true;
  });
  await expectRightsEnough("overland-controller");
});

it("a pod is wired by the plugin on the host, with an address out of these pools", async () => {
  // Whoever announces services has to read them.
  const spec = { serviceClusterIPs: [{ cidr: "10.96.0.0/12" }] };
  await server.apply({ apiVersion: "overland.dev/v1", kind: "BGPConfiguration", metadata: { name: "default" }, spec });
  await server.forgetRequests();
  await startAgent();
  await eventually("the agent answers", 60, async () => {
    expect((await host.inside(["node", "status"])).code).toBe(0);
    return true;
  });
  await must(host.command(["sh", "-ec", `mount --bind '${onHost("run/netns")}' /run/netns`]));
  await must(host.command(["ip", "netns", "add", "overland-image-pod"]));
  const input = JSON.stringify({ cniVersion: "1.0.0", name: "overland", socket: onHost("run/overland/agent.sock") });
  const cni = ["CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"];
  const command = ["env", ...cni, "CNI_NETNS=/run/netns/overland-image-pod", onHost("opt/cni/bin/overland")];
  const result = await eventually("ADD", 30, () => must(host.command(command), { input }));
  expect(result).toContain('"10.244.');
  expect(result).toContain('"fd00:10:244:');
  await expectRightsEnough("overland-agent");
});

/** Something was asked, and nothing was refused. */
async function expectRightsEnough(account: string): Promise<void> {
  const asked = await eventually(`${account} asks for something`, 30, async () => {
    const found = (await server.requests()).filter(({ user }) => user.endsWith(`:${account}`));
    return found.length > 0 && found;
  });
  expect(asked.filter(({ code }) => code === 401 || code === 403)).toEqual([]);
}
