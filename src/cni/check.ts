/** CHECK: does the pod still have what ADD gave it? Links, addresses, routes and settings are read back. */
import { formatAddress } from "../../ipam/net/address.ts";
import type { Attachment } from "./attachments.ts";
import { type CniContext, wiringDifferences } from "./context.ts";
import { CniCode, CniFault } from "./fault.ts";
import type { CniRequest } from "./request.ts";

export async function check(context: CniContext, request: CniRequest): Promise<string> {
  const { containerID, ifName, netns, config } = request;
  const known = context.attachments.get(containerID, ifName);
  if (known === undefined) {
    throw new CniFault(CniCode.UnknownContainer, `container ${containerID} has no ${ifName} from this agent`);
  }
  const differences = [...(known.netns === netns ? [] : [`the namespace is ${known.netns}, not ${netns}`])];
  differences.push(...prevResultDifferences(config.prevResult, known));
  differences.push(...wiringDifferences(context, known));
  if (differences.length > 0) {
    throw new CniFault(
      CniCode.CheckFailed,
      `${ifName} of container ${containerID} is not as ADD made it`,
      differences.join("; "),
    );
  }
  return "";
}

function prevResultDifferences(prevResult: unknown, known: Attachment): string[] {
  const ips = (prevResult as { ips?: unknown } | null | undefined)?.ips;
  if (!Array.isArray(ips)) return [];
  const said = ips.map((ip) => String((ip as { address?: unknown } | null)?.address).split("/")[0]);
  return known.addresses
    .map(formatAddress)
    .filter((address) => !said.includes(address))
    .map((address) => `prevResult lacks the address ${address}`);
}
