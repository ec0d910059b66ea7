/** What follows from a request alone: whose interface it is about, and under which handle its addresses are held. */
import { hostInterfaceName } from "../kernel/pod/wiring.ts";
import type { CniRequest } from "./request.ts";

/** No container ID has a colon in it. */
const DELEGATE_PREFIX = "ipam:";

export interface Identity {
  readonly namespace: string;
  readonly pod: string;
  readonly hostInterface: string;
  readonly handle: string;
}

export function identityOf({ args, containerID, ifName, config }: CniRequest): Identity {
  const namespace = args.get("K8S_POD_NAMESPACE") ?? "";
  const pod = args.get("K8S_POD_NAME") ?? "";
  return {
    namespace,
    pod,
    hostInterface: hostInterfaceName(namespace, pod, ifName, containerID),
    handle: `${config.name}.${containerID}.${ifName}`,
  };
}

/**
 * Of one interface of one container: the name of its files, and of the lock under which its requests wait in line. No
 * other pair has it: an interface's "-" becomes ":", which neither name can have.
 */
export function attachmentName({ containerID, ifName }: Pick<CniRequest, "containerID" | "ifName">): string {
  return `${containerID}-${ifName.replaceAll("-", ":")}`;
}

/** Of the file that a DEL is written to: an address delegate's is not the main plugin's. */
export function pendingName(request: Pick<CniRequest, "containerID" | "ifName" | "plugin">): string {
  return `${request.plugin === "overland-ipam" ? DELEGATE_PREFIX : ""}${attachmentName(request)}`;
}

/** The lock under which a recorded DEL is finished. */
export const lockOfPending = (file: string): string =>
  file.startsWith(DELEGATE_PREFIX) ? file.slice(DELEGATE_PREFIX.length) : file;
