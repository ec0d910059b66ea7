/**
 * The node's own addresses: detected at the start, again when the kernel or Kubernetes says that something changed,
 * and once a minute. What was found stays while nothing else is: a link that loses its address for a moment ends no
 * session.
 */
import { createSocket } from "node:dgram";
import { type Address, type Family, isUnspecified, parseAddress } from "../../ipam/net/address.ts";
import { type AddressWithLength, formatPrefix } from "../../ipam/net/prefix.ts";
import type { AddressSource } from "../config/agent-config.ts";
import type { DetectionMethod } from "../config/detection-method.ts";
import { type Link, listLinks } from "../kernel/links.ts";
import { type LinkEvent, watchKernel } from "../kernel/monitor.ts";
import type { Log } from "../telemetry/log.ts";
import { addressOnLinks, isPodInterface, withLength } from "./node-address.ts";

const POLL_MS = 60_000;
const SETTLE_MS = 500;
const LOOKUP_PORT = 53;

export interface DetectionPorts {
  links(): readonly Link[];
  /** What the kernel would send from; rejects when there is no way. */
  addressTowards(destination: string, family: Family): Promise<Address>;
  /** InternalIPs of the Kubernetes Node; throws with words where they are not known. */
  internalAddresses(): readonly string[];
}

/** Undefined where nothing is to be had. Rejects with words for the operator when a method named outright fails. */
export async function detect(
  source: AddressSource,
  family: Family,
  ports: DetectionPorts,
): Promise<AddressWithLength | undefined> {
  if (source.kind === "none") return undefined;
  if (source.kind === "given") {
    const { address, length } = source;
    return length === undefined ? withLength(ports.links(), address) : { address, length };
  }
  const { method } = source;
  if (method.kind === "can-reach") {
    return withLength(ports.links(), await ports.addressTowards(method.destination, family));
  }
  if (method.kind === "kubernetes-internal-ip") {
    const own = ports.internalAddresses().map((text) => parseAddress(text));
    const address = own.find((one) => one?.length === (family === 4 ? 4 : 16));
    if (address === undefined) throw new Error(`the Kubernetes Node has no InternalIP of IPv${family}`);
    return withLength(ports.links(), address);
  }
  const found = addressOnLinks(ports.links(), family, method);
  if (found === undefined && method.kind !== "first-found") throw new Error("no interface has such an address");
  return found;
}

export interface AddressDetectionOptions {
  readonly ipv4Address: AddressSource;
  readonly ipv6Address: AddressSource;
  readonly ports: DetectionPorts;
  readonly log: Pick<Log, "warn" | "info">;
  readonly changed: () => void;
}

export class AddressDetection {
  readonly #options: AddressDetectionOptions;
  readonly #found = new Map<Family, AddressWithLength>();
  readonly #problems = new Map<Family, string>();
  #stops: (() => void)[] = [];
  #settling: NodeJS.Timeout | undefined;

  constructor(options: AddressDetectionOptions) {
    this.#options = options;
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  of(family: Family): AddressWithLength | undefined {
    return this.#found.get(family);
  }

  async start(): Promise<void> {
    await this.#look();
    const again = () => this.lookSoon();
    const poll = setInterval(again, POLL_MS).unref();
    // Pods come and go by the hundred; what happens on their interfaces says nothing of the node's addresses.
    const pods = new Set<number>();
    const address = (index: number) => {
      if (!pods.has(index)) again();
    };
    const link = ({ index, name, gone }: LinkEvent) => {
      if (!isPodInterface(name)) again();
      else if (gone) pods.delete(index);
      else pods.add(index);
    };
    const listener = { addressGone: address, addressNew: address, link, doubt: again };
    this.#stops = [watchKernel(listener), () => clearInterval(poll), () => clearTimeout(this.#settling)];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }

  /** Something may be different. */
  lookSoon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.#lookAgain();
    }, SETTLE_MS).unref();
  }

  async #lookAgain(): Promise<void> {
    const changed = await this.#look();
    if (changed && this.#stops.length > 0) this.#options.changed();
  }

  /** True when an address is another one than before. */
  async #look(): Promise<boolean> {
    const { ipv4Address, ipv6Address } = this.#options;
    const changes = [await this.#lookFor(ipv4Address, 4), await this.#lookFor(ipv6Address, 6)];
    return changes.includes(true);
  }

  async #lookFor(source: AddressSource, family: Family): Promise<boolean> {
    const before = this.#found.get(family);
    let found: AddressWithLength | undefined;
    try {
      found = await detect(source, family, this.#options.ports);
      this.#problem(family, undefined);
    } catch (error) {
      const how = source.kind === "detected" ? methodText(source.method) : source.kind;
      this.#problem(
        family,
        `the IPv${family} address of this node is not found by ${how}: ${(error as Error).message}`,
      );
    }
    if (found === undefined) {
      if (before === undefined) return false;
      const goingOn = `no IPv${family} address of this node is there any more; going on with ${formatPrefix(before)}`;
      if (!this.#problems.has(family)) this.#problem(family, goingOn);
      return false;
    }
    if (before !== undefined && formatPrefix(before) === formatPrefix(found)) return false;
    this.#found.set(family, found);
    if (before !== undefined) {
      const change = { before: formatPrefix(before), now: formatPrefix(found) };
      this.#options.log.warn(`this node has another IPv${family} address`, change);
    }
    return true;
  }

  #problem(family: Family, problem: string | undefined): void {
    if (problem === this.#problems.get(family)) return;
    if (problem === undefined) this.#problems.delete(family);
    else {
      this.#problems.set(family, problem);
      this.#options.log.warn(problem);
    }
  }
}

function methodText(method: DetectionMethod): string {
  switch (method.kind) {
    case "can-reach":
      return `can-reach=${method.destination}`;
    case "interface":
    case "skip-interface":
      return `${method.kind}=${method.names.map(({ source }) => source).join(",")}`;
    case "cidr":
      return `cidr=${method.prefixes.map(formatPrefix).join(",")}`;
    default:
      return method.kind;
  }
}

export const KERNEL_PORTS: Pick<DetectionPorts, "links" | "addressTowards"> = {
  links: () => listLinks(),
  addressTowards,
};

/** A connected UDP socket has its source chosen and has sent nothing. */
function addressTowards(destination: string, family: Family): Promise<Address> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(family === 4 ? "udp4" : "udp6");
    // Node.js calls back with what went wrong, too; its types do not say so.
    const connected = (error?: Error | null) => {
      const address = error ? undefined : parseAddress(socket.address().address.replace(/%.*/, ""));
      socket.close();
      if (address === undefined || isUnspecified(address)) reject(error ?? new Error(`no way to ${destination}`));
      else resolve(address);
    };
    socket.once("error", reject);
    socket.connect(LOOKUP_PORT, destination, connected);
  });
}
