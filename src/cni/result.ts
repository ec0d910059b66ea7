/** The answer to a successful ADD, in the form of the version asked for. */
import { bitsOf, familyOf, formatAddress } from "../../ipam/net/address.ts";
import { GATEWAY_IPV4, GATEWAY_IPV6 } from "../kernel/pod/wiring.ts";
import type { Attachment } from "./attachments.ts";

export function addResult(cniVersion: string, attachment: Attachment): string {
  const old = cniVersion.startsWith("0.");
  const mtu = cniVersion === "1.1.0" ? { mtu: attachment.mtu } : {};
  const families = [...new Set(attachment.addresses.map(familyOf))].sort();
  return JSON.stringify({
    cniVersion,
    interfaces: [
      { name: attachment.hostInterface, mac: attachment.hostMac, ...mtu },
      { name: attachment.ifName, mac: attachment.podMac, ...mtu, sandbox: attachment.netns },
    ],
    ips: attachment.addresses.map((address) => {
      const family = familyOf(address);
      return {
        // Up to 0.4.0 an address says its family.
        ...(old ? { version: String(family) } : {}),
        address: `${formatAddress(address)}/${bitsOf(family)}`,
        gateway: formatAddress(gatewayOf(family)),
        interface: 1,
      };
    }),
    routes: families.map((family) => ({
      dst: family === 4 ? "0.0.0.0/0" : "::/0",
      gw: formatAddress(gatewayOf(family)),
    })),
    dns: {},
  });
}

function gatewayOf(family: 4 | 6) {
  return family === 4 ? GATEWAY_IPV4 : GATEWAY_IPV6;
}
