/**
 * What etcd says this node holds, against what is on its disk and in its kernel. Pure: what is on one side only comes
 * out, with the reason in words. Whether it is to be believed, a second look has to say: see suspects.ts.
 */
import type { Attachment } from "../cni/attachments.ts";
import { attachmentName } from "../cni/identity.ts";
import { hostInterfaceName } from "../kernel/pod/wiring.ts";

/** All that one handle holds, as the blocks have it. */
export interface Holding {
  readonly handle: string;
  readonly addresses: readonly string[];
  readonly containerID: string;
  readonly ifName: string;
  /** Empty: unknown. */
  readonly namespace: string;
  readonly pod: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface Presence {
  readonly attachments: readonly Attachment[];
  /** Names of attachments whose file cannot be read: what they are about is nobody's to free. */
  readonly unreadable: ReadonlySet<string>;
  /** Names of attachments whose DEL is written down. */
  readonly pending: ReadonlySet<string>;
  /** Host ends of pods, in the kernel. */
  readonly interfaces: ReadonlySet<string>;
  /** Interfaces from before this node's state was lost: they may be pods that run. */
  readonly spared: ReadonlySet<string>;
  netnsExists(path: string): boolean;
  /** Kubernetes can be asked, and has no such pod on this node. */
  podIsGone(attachment: Attachment): boolean;
}

export type Leftover =
  | { readonly kind: "allocation"; readonly id: string; readonly why: string; readonly holding: Holding }
  | { readonly kind: "interface"; readonly id: string; readonly why: string; readonly name: string }
  | { readonly kind: "attachment"; readonly id: string; readonly why: string; readonly attachment: Attachment };

export function leftovers(holdings: readonly Holding[], presence: Presence): Leftover[] {
  return [
    ...holdings.flatMap((holding) => leftAllocation(holding, presence)),
    ...[...presence.interfaces].flatMap((name) => leftInterface(name, presence)),
    ...presence.attachments.flatMap((attachment) => leftAttachment(attachment, presence)),
  ];
}

/** Attachments whose addresses etcd does not say this node holds: somebody took them back while the pod was there. */
export function unrecorded(holdings: readonly Holding[], attachments: readonly Attachment[]): Attachment[] {
  const held = new Set(holdings.map(({ handle }) => handle));
  return attachments.filter(({ handle }) => !held.has(handle));
}

function leftAllocation(holding: Holding, presence: Presence): Leftover[] {
  const { handle, containerID, ifName, namespace, pod } = holding;
  // Held by something that is no interface of a container: whoever took it gives it back.
  if (!handle.endsWith(`.${containerID}.${ifName}`)) return [];
  const name = attachmentName({ containerID, ifName });
  if (presence.unreadable.has(name) || presence.pending.has(name)) return [];
  if (presence.attachments.some((one) => one.containerID === containerID && one.ifName === ifName)) return [];
  const hostInterface = hostInterfaceName(namespace, pod, ifName, containerID);
  const owned = presence.attachments.some((one) => one.hostInterface === hostInterface);
  // An interface of its name that nobody owns goes first.
  if (presence.interfaces.has(hostInterface) && !owned) return [];
  const there = owned ? `${hostInterface} belongs to another container` : `there is no interface ${hostInterface}`;
  const why = `etcd has it, and no pod here does: no attachment ${name}, and ${there}`;
  return [{ kind: "allocation", id: `allocation ${handle}`, why, holding }];
}

function leftInterface(name: string, presence: Presence): Leftover[] {
  // What a file that cannot be read says of interfaces is not known.
  if (presence.unreadable.size > 0 || presence.spared.has(name)) return [];
  if (presence.attachments.some(({ hostInterface }) => hostInterface === name)) return [];
  return [{ kind: "interface", id: `interface ${name}`, why: "no attachment on disk has it", name }];
}

function leftAttachment(attachment: Attachment, presence: Presence): Leftover[] {
  const { containerID, ifName, hostInterface, netns } = attachment;
  const name = attachmentName({ containerID, ifName });
  if (presence.pending.has(name) || presence.netnsExists(netns)) return [];
  const linked = hostInterface !== "" && presence.interfaces.has(hostInterface);
  // A namespace without a name lives on while something holds it open: with the pod's end it is nobody's any more.
  if (linked && !presence.podIsGone(attachment)) return [];
  const link = linked
    ? "Kubernetes has no such pod here"
    : hostInterface === ""
      ? "it has no host interface"
      : `interface ${hostInterface} is gone`;
  const why = `its network namespace ${netns} does not exist, and ${link}`;
  return [{ kind: "attachment", id: `attachment ${name}`, why, attachment }];
}
