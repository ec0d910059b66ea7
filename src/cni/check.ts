/** CHECK: does the pod still have what ADD gave it? Links, addresses, routes, settings and etcd are read back. */
import { formatAddress } from "../../ipam/net/address.ts";
import { assignmentDifferences, ownRecord } from "./assign.ts";
import type { Attachment } from "./attachments.ts";
import { type CniContext, wiringDifferences } from "./context.ts";
import { CniCode, CniFault } from "./fault.ts";
import type { PrevResult } from "./prev-result.ts";
import type { CniRequest } from "./request.ts";

export async function check(context: CniContext, request: CniRequest): Promise<string> {
  const { containerID, ifName, netns, config } = request;
  const known = ownRecord(context, request);
  if (known === undefined) {
    throw new CniFault(CniCode.UnknownContainer, `container ${containerID} has no ${ifName} from this agent`);
  }
  const asMade = asTheChainMadeIt(config.prevResult, known);
  const differences = [
    ...(known.netns === netns ? [] : [`the namespace is ${known.netns}, not ${netns}`]),
    ...prevResultDifferences(config.prevResult, known),
    ...wiringDifferences(context, known, asMade),
    ...(await assignmentDifferences(context, known)),
  ];
  if (differences.length === 0) return "";
  const text = `${ifName} of container ${containerID} is not as ADD made it`;
  throw new CniFault(CniCode.CheckFailed, text, differences.join("; "));
}

/** The pod end's MAC address: a plugin behind us (tuning) may have set another one, and says so in the result. */
function asTheChainMadeIt(prevResult: PrevResult | undefined, { ifName, podMac }: Attachment): string | undefined {
  const own = prevResult?.interfaces.find(
    ({ name, sandbox }) => name === ifName && typeof sandbox === "string" && sandbox,
  );
  const said = typeof own?.["mac"] === "string" ? own["mac"].toLowerCase() : podMac;
  return said === "" ? undefined : said;
}

/** A result that names addresses must name the pod's. */
export function prevResultDifferences(prevResult: PrevResult | undefined, known: Attachment): string[] {
  const ips = prevResult?.ips ?? [];
  if (ips.length === 0) return [];
  const said = ips.map(({ address }) => String(address).split("/")[0]);
  return known.addresses
    .map(formatAddress)
    .filter((address) => !said.includes(address))
    .map((address) => `prevResult lacks the address ${address}`);
}
