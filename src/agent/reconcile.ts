/**
 * Puts right what a crash left between etcd, the disk and the kernel, and gives back blocks that are not needed.
 *
 * A look every few seconds asks only whose the node's name is; every few minutes, or while something is suspected, what
 * is held is compared with what is there. What is found twice with the grace time between is acted on, under the same
 * locks as the requests: an ADD in flight has them, so nothing is freed that one has just been given.
 */
import { statSync } from "node:fs";
import type { Allocator } from "../../ipam/allocator.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import { Suspects } from "../../ipam/suspects.ts";
import { type Attachment, pluginOf } from "../cni/attachments.ts";
import type { CniContext } from "../cni/context.ts";
import { finishPending } from "../cni/del.ts";
import { attachmentName } from "../cni/identity.ts";
import { listLinks } from "../kernel/links.ts";
import type { Log } from "../telemetry/log.ts";
import type { Reclaimed } from "./agent-metrics.ts";
import { ClockWatch, jumpText } from "./clock-watch.ts";
import { HeldHere } from "./held-here.ts";
import type { KubernetesPods } from "./kubernetes-pods.ts";
import { type Leftover, leftovers, type Presence } from "./leftovers.ts";
import { isPodInterface } from "./node-address.ts";
import { type Identity, NodeHolder, readIdentity } from "./node-holder.ts";

export interface ReclaimTerms {
  /** Between the two looks that make a leftover certain, in milliseconds. */
  readonly graceMs: number;
  /** Between comparisons while nothing is suspected. */
  readonly intervalMs: number;
  /** How long a block must not have been needed before it goes back. */
  readonly blockIdleMs: number;
}

export interface ReconcileOptions {
  readonly nodeName: string;
  readonly stateDir: string;
  readonly store: Store;
  readonly allocator: Allocator;
  readonly context: CniContext;
  readonly terms: ReclaimTerms;
  readonly log: Log;
  /** Undefined: no Kubernetes. */
  readonly kubernetesPods?: Pick<KubernetesPods, "isGone"> | undefined;
  /** Path of the host's network namespace; absent: the process's own. */
  readonly netns?: string;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Milliseconds since the epoch. */
  readonly wall?: () => number;
}

const LONGEST_TICK_MS = 20_000;

export class Reconciler {
  readonly #options: ReconcileOptions;
  readonly #now: () => number;
  readonly #held: HeldHere;
  readonly #holder: NodeHolder;
  readonly #identity: Identity;
  readonly #suspects = new Suspects();
  readonly #lost = new Suspects();
  readonly #clock = new ClockWatch();
  #unrecorded: readonly Attachment[] = [];
  /** How much was taken back. */
  readonly reclaimed: Reclaimed = { address: 0, block: 0, interface: 0, pod: 0 };
  #comparedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    const { nodeName, stateDir, store, allocator, terms, context, log } = options;
    this.#now = options.now ?? (() => performance.now());
    this.#held = new HeldHere(nodeName, store, allocator);
    const unowned = () => {
      const owned = new Set(context.attachments.all().map(({ hostInterface }) => hostInterface));
      return this.#interfaces().filter((name) => !owned.has(name));
    };
    const { made, ...identity } = readIdentity(stateDir, unowned);
    if (made) log.info("this node's identity is made", { id: identity.id, spared: identity.spared });
    this.#identity = identity;
    const holderTerms = { ownMs: terms.graceMs, foreignMs: 5 * terms.graceMs };
    this.#holder = new NodeHolder(store, nodeName, identity.id, holderTerms);
  }

  start(): void {
    const { graceMs } = this.#options.terms;
    const tickMs = Math.min(LONGEST_TICK_MS, Math.max(250, graceMs / 3));
    const again = async () => {
      await this.tick();
      if (!this.#stopped) this.#timer = setTimeout(() => void again(), tickMs);
    };
    void again();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** One look; what cannot be done for want of etcd is done by the next. */
  async tick(): Promise<void> {
    const { log, allocator, terms } = this.#options;
    const now = this.#now();
    const jump = this.#clock.look(this.#options.wall?.() ?? Date.now(), now);
    if (jump !== undefined) log.warn(jumpText(jump));
    try {
      const before = this.#holder.problems(now).join();
      await this.#holder.look(now);
      for (const problem of this.#holder.problems(now)) if (problem !== before) log.error(problem);
      const due = this.#comparedAt === undefined || now - this.#comparedAt >= terms.intervalMs;
      if (due || this.#suspects.count > 0) await this.#compare(now);
      if (this.#options.context.unavailable() !== undefined) return;
      for (const cidr of await allocator.returnBlocks(terms.blockIdleMs)) {
        this.reclaimed.block++;
        log.info("a block goes back to its pool: it is empty and was not needed", { block: formatPrefix(cidr) });
      }
    } catch (error) {
      log.warn("what is held cannot be compared with what is there; tried again", { error });
    }
  }

  problems(): string[] {
    const now = this.#now();
    const there = new Set(this.#identity.spared.length > 0 ? this.#interfaces() : []);
    const owned = new Set(this.#options.context.attachments.all().map(({ hostInterface }) => hostInterface));
    const spared = this.#identity.spared.filter((name) => there.has(name) && !owned.has(name));
    return [
      ...this.#holder.problems(now),
      ...this.#clock.problems(now),
      ...(spared.length === 0 ? [] : [sparedText(spared)]),
      ...this.#unrecorded.map(unrecordedText),
    ];
  }

  async #compare(now: number): Promise<void> {
    const { context, terms, log } = this.#options;
    const holdings = await this.#held.read(now);
    this.#comparedAt = now;
    const presence = this.#presence();
    for (const leftover of this.#suspects.look(leftovers(holdings, presence), now, terms.graceMs)) {
      if (leftover.kind === "allocation" && !this.#holder.isSole(now)) continue;
      await this.#clear(leftover);
    }
    const lost = await this.#held.unrecorded(holdings, context.attachments.all());
    const found = lost.map((attachment) => ({ id: attachment.handle, attachment }));
    const certain = this.#lost.look(found, now, terms.graceMs).map(({ attachment }) => attachment);
    for (const attachment of certain) {
      if (!this.#unrecorded.some(({ handle }) => handle === attachment.handle)) log.error(unrecordedText(attachment));
    }
    this.#unrecorded = certain;
  }

  /** Looks once more, with everybody who could change it waiting. */
  async #clear(leftover: Leftover): Promise<void> {
    const { context } = this.#options;
    const lock = lockOf(leftover);
    await context.locks.run(lock, async () => {
      const holdings = leftover.kind === "allocation" ? [leftover.holding] : [];
      const still = leftovers(holdings, this.#presence()).find(({ id }) => id === leftover.id);
      if (still === undefined) return;
      if (still.kind === "allocation") await this.#free(still);
      else if (still.kind === "interface") await this.#remove(still);
      else this.#writeDown(still);
    });
    if (leftover.kind === "attachment") await finishPending(context);
  }

  async #free({ holding, why }: Leftover & { kind: "allocation" }): Promise<void> {
    const { allocator, log } = this.#options;
    const { since, handle, containerID, namespace, pod, ifName } = holding;
    const freed = await allocator.release(handle);
    this.reclaimed.address += freed.length;
    const evidence = { handle, containerID, ifName, namespace, pod, since: new Date(since).toISOString(), why };
    log.warn("a leaked address is freed", { addresses: holding.addresses, found: freed.length, ...evidence });
  }

  async #remove({ name, why }: Leftover & { kind: "interface" }): Promise<void> {
    await this.#options.context.network.unwire(name);
    this.reclaimed.interface++;
    this.#options.log.warn("an interface of no pod is removed", { interface: name, why });
  }

  /** The DEL that nobody has sent: it is done as one that came while etcd was away. */
  #writeDown({ attachment, why }: Leftover & { kind: "attachment" }): void {
    const { containerID, ifName, network, namespace, pod, addresses } = attachment;
    this.reclaimed.pod++;
    this.#options.context.pending.add({ containerID, ifName, plugin: pluginOf(attachment) }, network);
    const what = { containerID, ifName, namespace, pod, addresses: addresses.map(formatAddress), why };
    this.#options.log.warn("a pod that is gone is deleted: no DEL came for it", what);
  }

  #interfaces(): string[] {
    return listLinks(this.#options.netns).flatMap(({ name }) => (isPodInterface(name) ? [name] : []));
  }

  #presence(): Presence {
    const { context } = this.#options;
    return {
      attachments: context.attachments.all(),
      unreadable: new Set(context.attachments.damaged.map((text) => text.replace(/\.json: .*$/s, ""))),
      pending: new Set(context.pending.list()),
      interfaces: new Set(this.#interfaces()),
      spared: new Set(this.#identity.spared),
      netnsExists: exists,
      podIsGone: ({ namespace, pod, uid }) => this.#options.kubernetesPods?.isGone(namespace, pod, uid) === true,
    };
  }
}

function lockOf(leftover: Leftover): string {
  if (leftover.kind === "interface") return leftover.name;
  return attachmentName(leftover.kind === "allocation" ? leftover.holding : leftover.attachment);
}

/** A path that cannot be looked at is not known to be gone. */
function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

function sparedText(names: readonly string[]): string {
  return (
    `the state directory was new while pods ran: interfaces ${names.join(", ")} and their addresses are left alone; ` +
    "delete those pods, and they go"
  );
}

function unrecordedText({ namespace, pod, containerID, handle }: Attachment): string {
  const who = pod === "" ? `container ${containerID}` : `pod ${namespace}/${pod}`;
  return `${who} runs with addresses that etcd does not have (handle ${handle}): others may be given them; delete it`;
}
