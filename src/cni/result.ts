/** The answer to a successful ADD, in the form of the version asked for. */
import { bitsOf, type Family, familyOf, formatAddress } from "../../ipam/net/address.ts";
import { containsAddress } from "../../ipam/net/prefix.ts";
import { GATEWAY_IPV4, GATEWAY_IPV6 } from "../kernel/pod/wiring.ts";
import type { Attachment } from "./attachments.ts";
import type { NetworkConfig } from "./config.ts";
import { ofFamily } from "./delegation.ts";

/** Of the main plugin. What plugins before us made comes first, as they said it. */
export function addResult(config: NetworkConfig, attachment: Attachment): string {
  const { cniVersion, prevResult } = config;
  const before = prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
  const mtu = cniVersion === "1.1.0" ? { mtu: attachment.mtu } : {};
  const families = familiesOf(attachment);
  return JSON.stringify({
    cniVersion,
    interfaces: [
      ...before.interfaces,
      { name: attachment.hostInterface, mac: attachment.hostMac, ...mtu },
      { name: attachment.ifName, mac: attachment.podMac, ...mtu, sandbox: attachment.netns },
    ],
    ips: [
      ...before.ips,
      ...attachment.addresses.map((address) => ({
        ...versionIn(cniVersion, familyOf(address)),
        address: `${formatAddress(address)}/${bitsOf(familyOf(address))}`,
        gateway: formatAddress(gatewayOf(familyOf(address))),
        interface: before.interfaces.length + 1,
      })),
    ],
    routes: [
      ...before.routes,
      ...families.map((family) => ({ dst: defaultOf(family), gw: formatAddress(gatewayOf(family)) })),
    ],
    dns: { ...before.dns, ...config.dns },
  });
}

/** Of the address delegate: no interfaces, they are the main plugin's. */
export function delegateResult(config: NetworkConfig, attachment: Attachment): string {
  const { cniVersion, dns, delegation } = config;
  const { subnets, gateways, routes } = delegation;
  const withGateway = familiesOf(attachment).filter((family) => ofFamily(gateways, family) !== undefined);
  return JSON.stringify({
    cniVersion,
    ips: attachment.addresses.map((address) => {
      const family = familyOf(address);
      const length = subnets.find((subnet) => containsAddress(subnet, address))?.length ?? bitsOf(family);
      const gateway = ofFamily(gateways, family);
      return {
        ...versionIn(cniVersion, family),
        address: `${formatAddress(address)}/${length}`,
        ...(gateway === undefined ? {} : { gateway: formatAddress(gateway) }),
      };
    }),
    routes: routes ?? withGateway.map((family) => ({ dst: defaultOf(family) })),
    dns,
  });
}

/** Up to 0.4.0 an address says its family. */
function versionIn(cniVersion: string, family: Family): { version?: string } {
  return cniVersion.startsWith("0.") ? { version: String(family) } : {};
}

function familiesOf({ addresses }: Attachment): Family[] {
  return [...new Set(addresses.map(familyOf))].sort();
}

const defaultOf = (family: Family): string => (family === 4 ? "0.0.0.0/0" : "::/0");
const gatewayOf = (family: Family) => (family === 4 ? GATEWAY_IPV4 : GATEWAY_IPV6);
