/** Node resources as agents write them, straight into a lab's etcd: thousands, and changes of theirs. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabStatus } from "../../../src/lab/status.ts";
import { inside } from "../../harness/command.ts";
import { NODE } from "../../harness/program.ts";
import { nodeName } from "./objects.ts";

const PROGRAM = fileURLToPath(new URL("./etcd-writer.ts", import.meta.url));
const ROOT = "/overland/v1/resources/nodes/";
/** etcd takes 128 in a transaction. */
const BATCH = 100;
const REFLECTORS = 2;
/** Of the addresses of nodes. */
export const NODE_RANGE = "172.0.0.0/10";

export class Etcd {
  readonly #writer: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor({ etcd }: LabStatus) {
    const [file = "", ...args] = inside(etcd.netns, [NODE, PROGRAM, etcd.endpoints[0] ?? ""]);
    this.#writer = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#writer.stdout as NodeJS.ReadableStream });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  async putNodes(count: number): Promise<void> {
    for (let first = 0; first < count; first += BATCH) {
      await this.#put(Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => node(first + i, 0)));
    }
  }

  /** Of those numbers, in turn: a label that no selector names, one that does, the address. */
  async change(numbers: readonly number[], round: number): Promise<void> {
    await this.#put(numbers.map((n) => node(n, round)));
  }

  stop(): void {
    this.#writer.stdin?.end();
  }

  async #put(nodes: readonly { readonly metadata: { readonly name: string } }[]): Promise<void> {
    const puts = nodes.map((one) => [ROOT + one.metadata.name, JSON.stringify(one)]);
    this.#writer.stdin?.write(`${JSON.stringify(puts)}\n`);
    const { value } = await this.#answers.next();
    if (value !== "done") throw new Error(`etcd: ${value}`);
  }
}

/** `round` 0: as it was first written. */
function node(n: number, round: number) {
  const kind = round === 0 ? -1 : (n + round) % 3;
  const name = nodeName(n);
  const labels = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "topology.kubernetes.io/zone": `zone-${n % 3}`,
    rack: `rack${kind === 1 ? round : Math.floor(n / 40)}`,
    ...(kind === 0 && { "example.net/round": String(round) }),
    ...(n < REFLECTORS && { "route-reflector": "true" }),
  };
  const last = kind === 2 ? 128 + (round & 127) : 1;
  return {
    apiVersion: "overland.dev/v1",
    kind: "Node",
    metadata: {
      name,
      labels,
      annotations: {
        "overland.dev/kubernetes-node": randomUUID(),
        "overland.dev/kubernetes-labels": Object.keys(labels).sort().join(","),
        "overland.dev/kubernetes-fields": "",
      },
      uid: randomUUID(),
      creationTimestamp: "2026-03-01T08:00:00Z",
    },
    spec: {
      bgp: {
        ipv4Address: `172.${16 + (n >> 8)}.${n & 255}.${last}/24`,
        ...(n < REFLECTORS && { routeReflectorClusterID: "10.255.0.1" }),
      },
    },
  };
}
