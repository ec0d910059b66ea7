/**
 * Pods wired on this node, one file each, so that a restarted agent knows them and DEL needs nobody's help.
 *
 * A file is written whole and renamed: it is there or it is not. They lie beside the socket, under /run: what they tell
 * of does not outlive a restart of the machine either, and a file in memory is made much faster than one on disk.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type Address, addressOf, formatAddress } from "../../ipam/net/address.ts";
import { attachmentName } from "./identity.ts";
import type { Plugin } from "./request.ts";

export interface Attachment {
  readonly containerID: string;
  readonly ifName: string;
  readonly network: string;
  readonly handle: string;
  /** Another main plugin wires the pod: these are the addresses it got from `overland-ipam`. */
  readonly delegated?: boolean;
  readonly namespace: string;
  readonly pod: string;
  /** Of the pod in Kubernetes; absent: the runtime said none, or the file is of before it was kept. */
  readonly uid?: string;
  readonly netns: string;
  /** Empty: a newer sandbox of the same pod has the interface of that name now, or another plugin wires the pod. */
  readonly hostInterface: string;
  readonly hostMac: string;
  readonly podMac: string;
  readonly mtu: number;
  readonly addresses: readonly Address[];
}

/** Under which name the plugin was called for it, and is to be called again. */
export function pluginOf({ delegated }: Attachment): Plugin {
  return delegated === true ? "overland-ipam" : "overland";
}

export class Attachments {
  readonly #directory: string;
  readonly #byKey = new Map<string, Attachment>();
  readonly #byContainer = new Map<string, Set<Attachment>>();
  /** Those that have a host interface. */
  readonly #byInterface = new Map<string, Set<Attachment>>();
  /** Files that could not be read, by name and why: they are left for a person to look at. */
  readonly damaged: string[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param formerly a directory that may hold them from an earlier version: they are taken from there */
  static open(directory: string, formerly = directory): Attachments {
    const attachments = new Attachments(`${directory}/attachments`);
    mkdirSync(attachments.#directory, { recursive: true, mode: 0o700 });
    if (formerly !== directory) attachments.#takeFrom(`${formerly}/attachments`);
    for (const file of readdirSync(attachments.#directory)) {
      if (!file.endsWith(".json")) continue;
      try {
        const attachment = decode(readFileSync(`${attachments.#directory}/${file}`, "utf8"));
        attachments.#know(attachment);
        // A file of before interfaces with "-" in their names were told apart.
        const expected = attachments.#file(attachment.containerID, attachment.ifName);
        if (`${attachments.#directory}/${file}` !== expected) {
          renameSync(`${attachments.#directory}/${file}`, expected);
        }
      } catch (error) {
        attachments.damaged.push(`${file}: ${(error as Error).message}`);
      }
    }
    return attachments;
  }

  get(containerID: string, ifName: string): Attachment | undefined {
    return this.#byKey.get(keyOf(containerID, ifName));
  }

  all(): readonly Attachment[] {
    return [...this.#byKey.values()];
  }

  get count(): number {
    return this.#byKey.size;
  }

  hasContainer(containerID: string): boolean {
    return this.#byContainer.has(containerID);
  }

  /** Who has the host interface. */
  ownerOf(hostInterface: string): Attachment | undefined {
    return this.#byInterface.get(hostInterface)?.values().next().value;
  }

  put(attachment: Attachment): void {
    const file = this.#file(attachment.containerID, attachment.ifName);
    writeFileSync(`${file}.new`, encode(attachment), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    this.#know(attachment);
  }

  /** The host interface is the newest attachment's alone. */
  putAsOwner(attachment: Attachment): void {
    const { containerID, ifName, hostInterface } = attachment;
    for (const other of [...(this.#byInterface.get(hostInterface) ?? [])]) {
      if (other.containerID !== containerID || other.ifName !== ifName) this.put({ ...other, hostInterface: "" });
    }
    this.put(attachment);
  }

  delete(containerID: string, ifName: string): void {
    removeFile(this.#file(containerID, ifName));
    this.#forget(keyOf(containerID, ifName));
  }

  #know(attachment: Attachment): void {
    const { containerID, ifName, hostInterface } = attachment;
    const key = keyOf(containerID, ifName);
    this.#forget(key);
    this.#byKey.set(key, attachment);
    addTo(this.#byContainer, containerID, attachment);
    if (hostInterface !== "") addTo(this.#byInterface, hostInterface, attachment);
  }

  #forget(key: string): void {
    const known = this.#byKey.get(key);
    if (known === undefined) return;
    this.#byKey.delete(key);
    removeFrom(this.#byContainer, known.containerID, known);
    removeFrom(this.#byInterface, known.hostInterface, known);
  }

  /** Each is copied before it is removed: an agent that is killed in between finds it in one place at least. */
  #takeFrom(former: string): void {
    if (!existsSync(former)) return;
    for (const file of readdirSync(former)) {
      const [from, to] = [`${former}/${file}`, `${this.#directory}/${file}`];
      writeFileSync(`${to}.new`, readFileSync(from), { mode: 0o600 });
      renameSync(`${to}.new`, to);
      rmSync(from);
    }
    rmSync(former, { recursive: true });
  }

  /** Container ids and interface names hold no slash: the CNI request was checked. */
  #file(containerID: string, ifName: string): string {
    return `${this.#directory}/${attachmentName({ containerID, ifName })}.json`;
  }
}

/** As rmSync does by `force`, with one look at the file instead of three. */
function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function keyOf(containerID: string, ifName: string): string {
  return `${containerID}/${ifName}`;
}

function addTo<T>(index: Map<string, Set<T>>, key: string, one: T): void {
  const known = index.get(key);
  if (known === undefined) index.set(key, new Set([one]));
  else known.add(one);
}

function removeFrom<T>(index: Map<string, Set<T>>, key: string, one: T): void {
  const known = index.get(key);
  if (known?.delete(one) && known.size === 0) index.delete(key);
}

function encode(attachment: Attachment): string {
  return JSON.stringify({ ...attachment, addresses: attachment.addresses.map(formatAddress) });
}

const TEXT_FIELDS = [
  "containerID",
  "ifName",
  "network",
  "handle",
  "namespace",
  "pod",
  "netns",
  "hostInterface",
] as const;

function decode(text: string): Attachment {
  const value = JSON.parse(text) as Record<string, unknown>;
  for (const field of TEXT_FIELDS) if (typeof value[field] !== "string") throw new Error(`${field} is missing`);
  if (!Array.isArray(value.addresses)) throw new Error("addresses are missing");
  return { ...(value as unknown as Attachment), addresses: (value.addresses as string[]).map(addressOf) };
}
