/**
 * The manifests as an operator applies them, by kubectl, to an API server that checks what it is given and who asks:
 * every overlay is taken, and the controller does its work with the rights it is granted and no others.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe as describeAny, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { ApiServer } from "./harness/api-server.ts";
import { must, run } from "./harness/command.ts";
import { OVERLAND } from "./harness/program.ts";
import { eventually } from "./harness/wait.ts";

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly spec?: unknown;
  readonly rules?: readonly Rule[];
}
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const MANIFESTS = fileURLToPath(new URL("../manifests", import.meta.url));
const VERSION = (JSON.parse(readFileSync(`${MANIFESTS}/../package.json`, "utf8")) as { version: string }).version;
const INSTALLED = ["existing-etcd", "etcd", "migrate-from-calico"];
const NETWORKS = ["dual-stack", "route-reflectors"];

/** The manifests need kubectl 1.21, and say so: Debian 12 has 1.20. */
const { clientVersion } = JSON.parse(
  execFileSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8" }),
) as { clientVersion: { major: string; minor: string } };
const isOld = Number(clientVersion.major) === 1 && Number.parseInt(clientVersion.minor, 10) < 21;
const describe = isOld ? describeAny.skip : describeAny;

let server: ApiServer;
let folder: string;
const running: number[] = [];

/** A copy, in which the etcd overlay's certificates are made. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "overland-manifests-"));
  cpSync(MANIFESTS, join(folder, "manifests"), { recursive: true });
  await must([
    join(folder, "manifests/overlays/etcd/make-certificates.sh"),
    "cp1=10.1.1.1",
    "cp2=10.1.1.2",
    "cp3=10.1.1.3",
  ]);
  server = await ApiServer.start();
}, 120_000);

afterAll(async () => {
  for (const pid of running) process.kill(pid, "SIGKILL");
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const at = (path: string) => join(folder, "manifests", path);

async function built(path: string): Promise<Document[]> {
  const { code, stdout, stderr } = await run(["kubectl", "kustomize", at(path)]);
  // A word that a newer kustomize does without is said on stderr.
  expect({ path, code, stderr }).toEqual({ path, code: 0, stderr: "" });
  return parseAllDocuments(stdout).map((one) => one.toJS() as Document);
}

describe("every overlay", () => {
  it.each([...INSTALLED.map((name) => `overlays/${name}`), "pre-pull", "uninstall"])(
    "%s has images of this version, and nothing outside its namespace but what has none",
    async (path) => {
      const documents = await built(path);
      const text = JSON.stringify(documents);
      const images = [...text.matchAll(/"image":"([^"]+)"/g)].map((match) => match[1]);
      expect(images.length).toBeGreaterThan(0);
      expect(images.filter((image) => !new RegExp(`^overland(-etcd)?:${VERSION}$`).test(image as string))).toEqual([]);
      const namespaces = new Set(documents.flatMap(({ metadata }) => metadata.namespace ?? []));
      expect([...namespaces]).toEqual([path === "uninstall" ? "overland-uninstall" : "overland-system"]);
    },
  );

  it.each(INSTALLED)(
    "%s is taken by the API server, again without a change, and leaves when deleted",
    async (name) => {
      const apply = () => server.mustKubectl(["apply", "-k", at(`overlays/${name}`)], { timeoutMs: 90_000 });
      expect(await apply()).toContain("daemonset.apps/overland-agent created");
      const again = (await apply()).trim().split("\n");
      // kubectl replaces a budget's selector at every apply, and calls that configured; and so it does with a Secret
      // whose base64 has line ends, as kustomize writes it.
      const changed = again.filter((line) => !/ unchanged$|^(poddisruptionbudget|secret)/.test(line));
      expect(changed).toEqual([]);
      if (name === INSTALLED.at(-1)) return;
      await server.mustKubectl(["delete", "-k", at(`overlays/${name}`), "--wait=false", "--ignore-not-found"], {
        timeoutMs: 90_000,
      });
    },
    240_000,
  );

  it.each(NETWORKS)("%s is taken where Overland is installed", async (name) => {
    const said = await server.mustKubectl(["apply", "-k", at(`overlays/${name}`)]);
    expect(said).toContain("created");
  });

  it("the reflectors' last step and the examples are taken", async () => {
    await server.mustKubectl(["apply", "-f", at("overlays/route-reflectors/mesh-off.yaml")]);
    const examples = parseAllDocuments(
      ["bgppeer", "ippool", "bgpfilter"]
        .map((name) => readFileSync(at(`examples/${name}.yaml`), "utf8"))
        .join("\n---\n"),
    ).map((one) => one.toJS() as Document);
    // The pools of the example are those of the overlay.
    await server.apply(...examples.filter(({ kind }) => kind !== "Node" && kind !== "IPPool"));
  });
});

describe("what kubectl is told", () => {
  const refused = async (kind: string, name: string, spec: object): Promise<string> => {
    const object = { apiVersion: "overland.dev/v1", kind, metadata: { name }, spec };
    const { code, stderr } = await server.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
    expect(code).toBe(1);
    return stderr;
  };
  it("a value that the schema does not know is refused, with its field", async () => {
    expect(await refused("BGPPeer", "bad", { peerIP: "192.0.2.1", asNumber: 0 })).toContain("asNumber");
    expect(await refused("IPPool", "bad", { cidr: "10.0.0.0/08" })).toContain("spec.cidr");
    expect(await refused("BGPPeer", "bad", { peerIP: "192.0.2.1", asNumber: 1, peerip: "x" })).toContain("peerip");
  });
  it("the tables have the columns that operators know, and the short names work", async () => {
    const [head = "", first = ""] = (await server.mustKubectl(["get", "bgpp"])).split("\n");
    expect(head.split(/ {2,}/)).toEqual(
      expect.arrayContaining(["NAME", "NODE SELECTOR", "PEER IP", "PEER ASN", "ACCEPTED", "AGE"]),
    );
    expect(first).not.toBe("");
    expect(await server.mustKubectl(["get", "ipp"])).toContain("10.244.0.0/16");
  });
});

describe("the controller, as its service account", () => {
  it("accepts resources and says so, with the rights it is granted", async () => {
    const token = await server.serviceAccount("overland-system/overland-controller");
    const kubeconfig = server.kubeconfigOf("controller", token);
    const data = join(folder, "etcd");
    const port = 23_790;
    const urls = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
    const etcd = ["etcd", "--data-dir", data, "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0]];
    const peers = ["--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1], "--initial-cluster"];
    start([...etcd, ...peers, `default=${urls[1]}`] as string[]);
    await server.forgetRequests();
    const words = ["--etcd-endpoints", urls[0] as string, "--kubeconfig", kubeconfig, "--http", "127.0.0.1:23792"];
    start([...OVERLAND, "controller", ...words, "--interval", "1s", "--grace", "2s"]);
    const condition = '{.status.conditions[?(@.type=="Accepted")].status}';
    await eventually("the pool is accepted", 60, async () => {
      const said = await server.mustKubectl(["get", "ipp", "pods-ipv4", "-o", `jsonpath=${condition}`]);
      if (said !== "True") throw new Error(readFileSync(join(folder, "log"), "utf8").slice(-3000));
      return true;
    });
    const overlapping = { cidr: "10.244.0.0/17" };
    await server.apply({
      apiVersion: "overland.dev/v1",
      kind: "IPPool",
      metadata: { name: "twice" },
      spec: overlapping,
    });
    await eventually("an overlapping pool is refused in words, and an event tells it", 30, async () => {
      expect(await server.mustKubectl(["get", "ipp", "twice", "-o", "wide"])).toMatch(
        /False .*overlaps pool pods-ipv4/,
      );
      expect(await server.mustKubectl(["get", "events", "-A"])).toContain("overlaps pool");
      return true;
    });
    await server.mustKubectl(["delete", "ipp", "twice"]);
    const asked = (await server.requests()).filter(({ user }) => user.endsWith(":overland-controller"));
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter(({ code }) => code === 403 || code === 401)).toEqual([]);
  }, 120_000);

  function start(command: readonly string[]): void {
    const [file = "", ...args] = command;
    const environment = { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch };
    const log = openSync(join(folder, "log"), "a");
    const child = spawn(file, args, { stdio: ["ignore", log, log], env: environment });
    if (child.pid !== undefined) running.push(child.pid);
  }
});
