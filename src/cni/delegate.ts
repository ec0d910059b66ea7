/**
 * ADD and CHECK under the name `overland-ipam`: addresses for pods that another main plugin wires. DEL and GC are those
 * of every attachment.
 */

import { type Address, bitsOf, familyOf, formatAddress, sameAddress } from "../../ipam/net/address.ts";
import { containsAddress, formatPrefix, lastAddress } from "../../ipam/net/prefix.ts";
import type { Assigned } from "../../ipam/plan.ts";
import {
  assign,
  assignmentDifferences,
  checkOwner,
  checkSameAddresses,
  ownRecord,
  release,
  withWishes,
} from "./assign.ts";
import type { Attachment } from "./attachments.ts";
import { prevResultDifferences } from "./check.ts";
import type { CniContext } from "./context.ts";
import { finishEarlierDel } from "./del.ts";
import type { Delegation } from "./delegation.ts";
import { CniCode, CniFault } from "./fault.ts";
import { attachmentName, type Identity, identityOf } from "./identity.ts";
import type { CniRequest } from "./request.ts";
import { delegateResult } from "./result.ts";

export function addDelegated(context: CniContext, request: CniRequest): Promise<string> {
  return context.locks.run(attachmentName(request), async () => {
    await finishEarlierDel(context, request);
    const { containerID, ifName, config, netns } = request;
    checkOwner(context, request);
    const known = ownRecord(context, request);
    if (known !== undefined) {
      checkSameAddresses(request, known);
      return delegateResult(config, known);
    }
    const identity = identityOf(request);
    const addresses = await usable(context, await withWishes(context, request, identity), identity);
    const { handle, namespace, pod, uid } = identity;
    const attachment: Attachment = {
      ...{ containerID, ifName, network: config.name, handle, namespace, pod, netns, addresses },
      ...{ delegated: true, hostInterface: "", hostMac: "", podMac: "", mtu: 0 },
      ...(uid === "" ? {} : { uid }),
    };
    try {
      context.attachments.put(attachment);
    } catch (error) {
      await giveBack(context, request, handle);
      throw error;
    }
    context.changed(addresses);
    return delegateResult(config, attachment);
  });
}

/** Addresses that a pod in the configured subnet can use. */
async function usable(context: CniContext, request: CniRequest, identity: Identity): Promise<readonly Address[]> {
  let why = "";
  // An address given back goes to the end of its block's line: the next one is another.
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const assigned: readonly Assigned[] = await assign(context, request, identity);
    const addresses = assigned.map(({ address }) => address);
    const reason = addresses.map((address) => unusable(request.config.delegation, address)).find(Boolean);
    if (reason === undefined) return addresses;
    // A recorded DEL must not meet the address that a next attempt would get.
    if (!(await giveBack(context, request, identity.handle))) {
      throw new CniFault(CniCode.TryAgainLater, `etcd does not answer, so ${reason} and cannot be exchanged`);
    }
    why = reason;
  }
  const cure = "name pools inside of ipam.subnets, and keep such addresses from pods with an IPReservation";
  throw new CniFault(CniCode.NoAddress, why, cure);
}

/** Network address, gateway and broadcast address: a block may hold all three. */
const ATTEMPTS = 4;

function unusable({ subnets, gateways }: Delegation, address: Address): string | undefined {
  const text = formatAddress(address);
  if (gateways.some((gateway) => sameAddress(gateway, address))) return `${text} is the gateway's`;
  const family = familyOf(address);
  const subnet = subnets.find((one) => familyOf(one.address) === family);
  if (subnet === undefined) return undefined;
  if (!containsAddress(subnet, address)) return `${text} is outside of ipam.subnets ${formatPrefix(subnet)}`;
  // A /31 and a /127 have two ends and nothing else (RFC 3021, RFC 6164).
  if (subnet.length >= bitsOf(family) - 1) return undefined;
  if (sameAddress(subnet.address, address)) return `${text} is the network's own address`;
  if (family === 4 && sameAddress(lastAddress(subnet), address)) return `${text} is the broadcast address`;
  return undefined;
}

/** False when that is left for later. */
async function giveBack(context: CniContext, request: CniRequest, handle: string): Promise<boolean> {
  const released = await release(context, handle);
  if (!released) context.pending.add(request, request.config.name);
  return released;
}

export async function checkDelegated(context: CniContext, request: CniRequest): Promise<string> {
  const { containerID, ifName, config } = request;
  const known = ownRecord(context, request);
  if (known === undefined) {
    throw new CniFault(
      CniCode.UnknownContainer,
      `container ${containerID} has no address for ${ifName} from this agent`,
    );
  }
  const differences = [
    ...prevResultDifferences(config.prevResult, known),
    ...(await assignmentDifferences(context, known)),
  ];
  if (differences.length === 0) return "";
  const text = `the addresses of container ${containerID} are not as ADD gave them`;
  throw new CniFault(CniCode.CheckFailed, text, differences.join("; "));
}
