/**
 * A program of its own: follows what the agent follows, by the built src/cluster, and keeps what the agent keeps of it.
 * Does what it is told on standard input, a word a line: read, follow, told. `node follow.mjs DIST/SRC/CLUSTER ACCOUNT`
 * with URL and HERE, the name of its node; ACCOUNT has ca.crt and token, as a pod's service account.
 */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { Cluster, KubeObject, ResourceType, WatchListener } from "../../../src/cluster/port.ts";
import type { Said } from "./follower.ts";

interface Any extends KubeObject {
  readonly spec?: { readonly clusterIPs?: readonly string[]; readonly externalTrafficPolicy?: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
  readonly endpoints?: readonly { readonly nodeName?: string; readonly conditions?: { readonly ready?: boolean } }[];
}

type Make = new (...args: unknown[]) => object;

interface Followed {
  readonly type: ResourceType;
  keep(object: Any): unknown;
}

const { URL: SERVER = "", HERE = "" } = process.env;
const [, , built = "", account = ""] = process.argv;

const core = (plural: string, kind: string, namespaced: boolean): ResourceType => ({
  ...{ group: "", version: "v1", plural, kind, namespaced },
});
const SLICES = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice" };

const FOLLOWED: readonly Followed[] = [
  { type: core("nodes", "Node", false), keep: ({ metadata: { labels } }) => labels?.["rack"] ?? "" },
  { type: core("namespaces", "Namespace", false), keep: ({ metadata: { labels } }) => labels ?? {} },
  { type: core("services", "Service", true), keep: keepService },
  { type: { ...SLICES, namespaced: true }, keep: keepSlice },
];

function keepService({ spec = {}, status }: Any): unknown {
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");
  return { addresses: [...(spec.clusterIPs ?? []), ...ingress], local: spec.externalTrafficPolicy === "Local" };
}

function keepSlice({ metadata, endpoints = [] }: Any): unknown {
  let bits = 0;
  for (const { nodeName, conditions } of endpoints) {
    if (conditions?.ready !== false) bits |= nodeName === HERE ? 3 : 1;
  }
  return { service: `${metadata.namespace}/${metadata.labels?.["kubernetes.io/service-name"]}`, bits };
}

const file = (name: string) => readFileSync(`${account}/${name}`, "utf8");

/** As openCluster does in a pod, but for where the service account is. */
async function open(): Promise<Cluster> {
  const made = async (name: string, file: string, ...args: unknown[]): Promise<object> => {
    const exported = (await import(pathToFileURL(`${built}/${file}.js`).href)) as Record<string, Make>;
    return new (exported[name] as Make)(...args);
  };
  const { hostname, port } = new URL(SERVER);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const credentials = await made("ServiceAccount", "credentials", env, account);
  const transport = await made("KeptConnections", "transport", credentials);
  return (await made("ApiServer", "api-server", transport, "overland-system")) as Cluster;
}

const say = (said: Said) => process.stdout.write(`${JSON.stringify(said)}\n`);
const seconds = (since: number) => (performance.now() - since) / 1000;
const known: Map<string, unknown>[] = [];
let told: number[] = [];

/** The same requests, and nothing done with what comes. */
async function read(): Promise<void> {
  const began = performance.now();
  await Promise.all(
    FOLLOWED.map(({ type: { group, version, plural } }) => {
      const path = `${group === "" ? "/api" : `/apis/${group}`}/${version}/${plural}`;
      const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
      const options = {
        ca: file("ca.crt"),
        headers: { authorization: `Bearer ${file("token")}` },
        agent: false as const,
      };
      return new Promise<void>((resolve, reject) => {
        const sent = request(`${SERVER}${path}?${query}`, options, (response) => {
          let tail = "";
          response.on("data", (chunk: Buffer) => {
            tail = (tail + chunk.subarray(-500).toString("latin1")).slice(-1000);
            if (!tail.includes("initial-events-end")) return;
            sent.destroy();
            resolve();
          });
        });
        sent.on("error", reject).end();
      });
    }),
  );
  say({ read: { seconds: seconds(began) } });
}

async function follow(): Promise<void> {
  const began = performance.now();
  const cluster = await open();
  await Promise.all(FOLLOWED.map((one, place) => new Promise<void>((done) => watch(cluster, one, place, done))));
  say({ synced: { seconds: seconds(began), objects: known.reduce((sum, { size }) => sum + size, 0) } });
}

function watch(cluster: Cluster, { type, keep }: Followed, place: number, done: () => void): void {
  const timed = (object: Any) => {
    const stamp = object.metadata.annotations?.["example.net/at"];
    if (stamp !== undefined) told.push(Number(process.hrtime.bigint() - BigInt(stamp)) / 1e6);
    return keep(object);
  };
  const listener: WatchListener<unknown> = {
    snapshot(objects) {
      known[place] = new Map(objects);
      done();
    },
    change(key, object) {
      if (object === undefined) known[place]?.delete(key);
      else known[place]?.set(key, object);
    },
    health(problem) {
      process.stderr.write(`${type.plural}: ${problem ?? "well again"}\n`);
    },
  };
  cluster.watch({ type }, timed, listener);
}

createInterface({ input: process.stdin }).on("line", (word) => {
  if (word === "read") void read();
  else if (word === "follow") void follow();
  else {
    say({ told });
    told = [];
  }
});
say({ ready: true });
