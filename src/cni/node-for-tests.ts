/**
 * A node for tests of the CNI commands: the real allocator on the memory store, real wiring in a namespace made for it,
 * real files; the plugin's messages go in, its answers come out. Any effect on store, kernel or disk can be made to fail.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { Allocator } from "../../ipam/allocator.ts";
import { handlesRoot } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import type { Pool } from "../../ipam/pool.ts";
import { allocatorOn, auditOf, poolOf } from "../../ipam/world-for-tests.ts";
import { listLinks } from "../kernel/links.ts";
import type { RequestBatch } from "../kernel/netlink/batch.ts";
import { type Netlink, NetlinkSocket } from "../kernel/netlink/socket.ts";
import { PodNetwork } from "../kernel/pod-wiring.ts";
import { ipJson, makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { openLog } from "../telemetry/log.ts";
import { type Attachment, Attachments } from "./attachments.ts";
import type { CniContext } from "./context.ts";
import { finishPending } from "./del.ts";
import { Locks } from "./locks.ts";
import { PendingDeletes } from "./pending-deletes.ts";
import { serveCni } from "./serve.ts";

export const POOLS = [
  poolOf("v4", "10.244.0.0/24", 28),
  poolOf("v6", "fd00:244::/112", 124),
  poolOf("segment", "10.60.0.0/24", 30, { assignmentMode: "Manual" }),
];

export interface Asked {
  readonly command: string;
  readonly containerID?: string;
  readonly netns?: string;
  readonly ifName?: string;
  readonly pod?: string;
  readonly args?: string;
  readonly config?: object;
  readonly plugin?: "overland" | "overland-ipam";
}

export interface Answer {
  readonly ok: boolean;
  /** Parsed where there is any. */
  // biome-ignore lint/suspicious/noExplicitAny: a result or an error, as its test expects it
  readonly said: any;
}

export class TestNode {
  readonly host: TestNetns = makeTestNetns();
  readonly store = new MemoryStore();
  /** Reads what is stored, whatever fails. */
  readonly #onlooker = this.store.anotherClient();
  readonly stateDir = mkdtempSync(join(tmpdir(), "overland-cni-"));
  readonly allocator: Allocator;
  readonly network: PodNetwork;
  readonly context: CniContext;
  /** Asked before each effect; true makes it fail. */
  fails: () => boolean = () => false;

  /** Every call to the store is refused. */
  etcdIsAway = false;

  constructor(pools: readonly Pool[] = POOLS) {
    this.allocator = allocatorOn(this.store, "n1", pools);
    this.store.interfere = ({ kind }) =>
      this.etcdIsAway || (kind === "commit" && this.fails()) ? "refuse" : undefined;
    this.network = PodNetwork.open({
      netns: this.host.path,
      openSocket: (netns) => new RefusedSometimes(NetlinkSocket.open(netns), () => this.fails()),
    });
    const failing = <T extends object>(files: T, methods: readonly string[]): T =>
      new Proxy(files, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== "function") return value;
          return (...given: unknown[]) => {
            if (methods.includes(String(name)) && this.fails())
              throw new Error(`no space left on device (${String(name)})`);
            return Reflect.apply(value, target, given) as unknown;
          };
        },
      });
    this.context = {
      allocator: this.allocator,
      network: this.network,
      attachments: failing(Attachments.open(this.stateDir), ["putAsOwner", "put", "delete"]),
      pending: new PendingDeletes(this.stateDir),
      locks: new Locks(),
      log: openLog({ stream: new Writable({ write: (_chunk, _encoding, done) => done() }) }),
      families: () => [4, 6],
      mtu: () => 1500,
      changed: () => undefined,
      unavailable: () => undefined,
    };
  }

  async ask({ command, containerID, netns, ifName = "eth0", pod, args, config = {}, plugin }: Asked): Promise<Answer> {
    const names = `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod ?? "web"}`;
    const variables = {
      CNI_COMMAND: command,
      ...(containerID === undefined ? {} : { CNI_CONTAINERID: containerID }),
      ...(netns === undefined ? {} : { CNI_NETNS: netns }),
      CNI_IFNAME: ifName,
      CNI_ARGS: args === undefined ? names : `${names};${args}`,
      ...(plugin === undefined ? {} : { PLUGIN: plugin }),
    };
    const head = Object.entries(variables).map(([name, value]) => `${name}=${value}\0`);
    const prevResult = command === "CHECK" ? { prevResult: {} } : {};
    const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "overland", ...prevResult, ...config });
    const { ok, output } = await serveCni(this.context, new TextEncoder().encode(`${head.join("")}\0${stdin}`));
    return { ok, said: output === "" ? "" : JSON.parse(output) };
  }

  finishPending(): Promise<number> {
    return finishPending(this.context);
  }

  /** Names of the host ends that stand. */
  interfaces(): string[] {
    return listLinks(this.host.path)
      .map(({ name }) => name)
      .filter((name) => name.startsWith("ovl"))
      .sort();
  }

  /** Destinations of the host's routes to pods, as addresses. */
  routes(): string[] {
    const shown = [...ipJson(this.host, "route show proto 201"), ...ipJson(this.host, "-6 route show proto 201")];
    return shown.map(({ dst }) => dst as string).sort();
  }

  /** What the store says is held: handle and addresses. */
  async allocations(): Promise<string[]> {
    const { entries } = await this.#onlooker.list(handlesRoot);
    return entries
      .map(({ value }) => JSON.parse(value) as { addresses: string[]; workload: { handle: string } })
      .map(({ addresses, workload }) => `${workload.handle} ${[...addresses].sort().join(" ")}`)
      .sort();
  }

  /** What the records of this node say is held. */
  attached(): string[] {
    return linesOf(this.context.attachments.all());
  }

  /** {@link attached}, as an agent that starts now would read it. */
  recorded(): string[] {
    return linesOf(Attachments.open(this.stateDir).all());
  }

  audit(): Promise<string[]> {
    return auditOf(this.#onlooker);
  }

  files(folder: string): string[] {
    return readdirSync(join(this.stateDir, folder)).sort();
  }

  close(): void {
    this.network.close();
    removeTestNetns(this.host);
    rmSync(this.stateDir, { recursive: true });
  }
}

function linesOf(attachments: readonly Attachment[]): string[] {
  return attachments.map((one) => `${one.handle} ${one.addresses.map(formatAddress).sort().join(" ")}`).sort();
}

/** Namespaces of sandboxes, used again and again. */
export function cleanSandbox(netns: TestNetns): void {
  for (const { name } of listLinks(netns.path)) {
    try {
      if (name !== "lo") execFileSync("ip", ["-n", netns.name, "link", "del", name], { stdio: "ignore" });
    } catch {
      // Its host end went with the node, and it in the meantime.
    }
  }
}

/** The kernel itself refuses the chosen request: it is sent with a message type that does not exist. */
class RefusedSometimes implements Netlink {
  readonly #netlink: Netlink;
  readonly #spoil: () => boolean;

  constructor(netlink: Netlink, spoil: () => boolean) {
    this.#netlink = netlink;
    this.#spoil = spoil;
  }

  execute(batch: RequestBatch): ReturnType<Netlink["execute"]> {
    const octets = batch.seal(0);
    const view = new DataView(octets.buffer, octets.byteOffset);
    for (let at = 0; at < octets.length; at += (view.getUint32(at, true) + 3) & ~3) {
      // What takes back is not refused: a kernel that neither gives nor takes is beyond help.
      const takesBack = view.getUint16(at + 4, true) === RTM_DELLINK;
      if (!takesBack && this.#spoil()) view.setUint16(at + 4, 0x7ff0, true);
    }
    return this.#netlink.execute(batch);
  }

  ask(batch: RequestBatch, visit: Parameters<Netlink["ask"]>[1]): ReturnType<Netlink["ask"]> {
    return this.#netlink.ask(batch, visit);
  }

  close(): void {
    this.#netlink.close();
  }
}

const RTM_DELLINK = 17;
