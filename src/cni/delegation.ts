/**
 * What `overland-ipam` tells the main plugin beside the address: the subnet it is in, the gateway, the routes. A
 * segment that pods share (bridge, macvlan, ipvlan) has these of its own; no pool can know them.
 */
import { type Address, type Family, familyOf, formatAddress } from "../../ipam/net/address.ts";
import { containsAddress, familyOfPrefix, formatPrefix, type Prefix, parsePrefix } from "../../ipam/net/prefix.ts";
import { type Fields, fieldsOf, listOf, onePerFamily, readAddress, textsOf, wrongField } from "./config-values.ts";

export interface Delegation {
  /** At most one of each family; without one an address stands alone, as /32 or /128. */
  readonly subnets: readonly Prefix[];
  readonly gateways: readonly Address[];
  /** Undefined: a default route for each family that has a gateway. */
  readonly routes: readonly Fields[] | undefined;
}

export function readDelegation(ipam: Fields): Delegation {
  const subnets = textsOf("ipam.subnets", ipam["subnets"]).map((text, i) => readSubnet(`ipam.subnets[${i}]`, text));
  for (const family of [4, 6]) {
    const count = subnets.filter((subnet) => familyOfPrefix(subnet) === family).length;
    if (count > 1) throw wrongField(`ipam.subnets has ${count} IPv${family} subnets`, "one of each family at most");
  }
  const list = textsOf("ipam.gateways", ipam["gateways"]);
  const gateways = onePerFamily(
    "ipam.gateways",
    list.map((text, i) => readAddress(`ipam.gateways[${i}]`, text)),
  );
  for (const gateway of gateways) checkGateway(gateway, subnets);
  return { subnets, gateways, routes: readRoutes(ipam["routes"]) };
}

function readSubnet(field: string, text: string): Prefix {
  const subnet = parsePrefix(text);
  if (subnet === undefined) {
    throw wrongField(`${field} ${JSON.stringify(text)} is no subnet`, 'write it as "10.60.0.0/24", host bits zero');
  }
  return subnet;
}

/** IPv6 gateways may be link-local; an IPv4 gateway outside the subnet cannot be reached by any of the main plugins. */
function checkGateway(gateway: Address, subnets: readonly Prefix[]): void {
  if (familyOf(gateway) === 6) return;
  if (subnets.some((subnet) => containsAddress(subnet, gateway))) return;
  const texts = subnets.map(formatPrefix).join(", ") || "none";
  throw wrongField(
    `ipam.gateways: ${formatAddress(gateway)} is in none of ipam.subnets`,
    `subnets: ${texts}; an IPv4 gateway is reached only inside the pod's subnet`,
  );
}

function readRoutes(value: unknown): Delegation["routes"] {
  if (value === undefined) return undefined;
  return listOf("ipam.routes", value).map((one, i) => {
    const route = fieldsOf(`ipam.routes[${i}]`, one);
    const { dst, gw } = route;
    if (typeof dst !== "string" || parsePrefix(dst) === undefined) {
      throw wrongField(`ipam.routes[${i}].dst ${JSON.stringify(dst)} is no prefix`, 'such as "0.0.0.0/0"');
    }
    if (gw !== undefined) readAddress(`ipam.routes[${i}].gw`, gw);
    return route;
  });
}

export const ofFamily = (addresses: readonly Address[], family: Family): Address | undefined =>
  addresses.find((address) => familyOf(address) === family);
