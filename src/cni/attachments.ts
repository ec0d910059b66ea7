/**
 * Pods wired on this node, one file each, so that a restarted agent knows them and DEL needs nobody's help.
 *
 * A file is written whole and renamed: it is there or it is not.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  /** Files that could not be read, by name and why: they are left for a person to look at. */
  readonly damaged: string[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static open(stateDir: string): Attachments {
    const attachments = new Attachments(`${stateDir}/attachments`);
    mkdirSync(attachments.#directory, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(attachments.#directory)) {
      if (!file.endsWith(".json")) continue;
      try {
        const attachment = decode(readFileSync(`${attachments.#directory}/${file}`, "utf8"));
        attachments.#byKey.set(keyOf(attachment.containerID, attachment.ifName), attachment);
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

  put(attachment: Attachment): void {
    const file = this.#file(attachment.containerID, attachment.ifName);
    writeFileSync(`${file}.new`, encode(attachment), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    this.#byKey.set(keyOf(attachment.containerID, attachment.ifName), attachment);
  }

  /** The host interface is the newest attachment's alone. */
  putAsOwner(attachment: Attachment): void {
    const { containerID, ifName, hostInterface } = attachment;
    for (const other of this.all()) {
      if (other.hostInterface !== hostInterface) continue;
      if (other.containerID !== containerID || other.ifName !== ifName) this.put({ ...other, hostInterface: "" });
    }
    this.put(attachment);
  }

  delete(containerID: string, ifName: string): void {
    rmSync(this.#file(containerID, ifName), { force: true });
    this.#byKey.delete(keyOf(containerID, ifName));
  }

  /** Container ids and interface names hold no slash: the CNI request was checked. */
  #file(containerID: string, ifName: string): string {
    return `${this.#directory}/${attachmentName({ containerID, ifName })}.json`;
  }
}

function keyOf(containerID: string, ifName: string): string {
  return `${containerID}/${ifName}`;
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
