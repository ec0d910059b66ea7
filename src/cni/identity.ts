/** What follows from a request alone: whose interface it is about, and under which handle its addresses are held. */
import { hostInterfaceName } from "../kernel/pod/wiring.ts";
import type { CniRequest } from "./request.ts";

export interface Identity {
  readonly namespace: string;
  readonly pod: string;
  /** Of the pod in Kubernetes; empty: the runtime says none. */
  readonly uid: string;
  readonly hostInterface: string;
  readonly handle: string;
}

export function identityOf({ args, containerID, ifName, config }: CniRequest): Identity {
  const namespace = args.get("K8S_POD_NAMESPACE") ?? "";
  const pod = args.get("K8S_POD_NAME") ?? "";
  return {
    namespace,
    pod,
    uid: args.get("K8S_POD_UID") ?? "",
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
