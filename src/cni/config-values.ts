/** Values of a network configuration, read strictly: what is wrong is named by its field. */
import {
  type Address,
  familyOf,
  formatAddress,
  isMulticast,
  isUnspecified,
  parseAddress,
} from "../../ipam/net/address.ts";
import { parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { CniCode, CniFault } from "./fault.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function wrongField(text: string, details = ""): CniFault {
  return new CniFault(CniCode.InvalidConfig, text, details);
}

/** An object's fields; none where it is absent. */
export function fieldsOf(field: string, value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Fields;
  throw wrongField(`${field} is not an object`);
}

export function listOf(field: string, value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw wrongField(`${field} is not a list`);
}

export function textsOf(field: string, value: unknown): readonly string[] {
  const list = listOf(field, value);
  if (list.every((one) => typeof one === "string")) return list;
  throw wrongField(`${field} is not a list of texts`);
}

/** Calico's manifests write the booleans as strings, too. */
export function booleanOf(field: string, value: unknown): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw wrongField(`${field} ${JSON.stringify(value)} is not true or false`);
}

/** An address, with or without the prefix length that runtimes like to add. */
export function readAddress(field: string, value: unknown): Address {
  const text = typeof value === "string" ? value : "";
  const address = parseAddress(text) ?? parseAddressWithLength(text)?.address;
  if (address === undefined) {
    const cure = 'write it as "10.244.0.7" or "fd00:244::7", with or without a prefix length';
    throw wrongField(`${field} ${JSON.stringify(value)} is no IP address`, cure);
  }
  if (isUnspecified(address) || isMulticast(address)) {
    throw wrongField(`${field} ${formatAddress(address)} is no address that a pod can have`);
  }
  return address;
}

/** At most one address of each family: an interface of ours has no more. */
export function onePerFamily(field: string, addresses: readonly Address[]): readonly Address[] {
  for (const family of [4, 6]) {
    const texts = new Set(addresses.filter((address) => familyOf(address) === family).map(formatAddress));
    if (texts.size > 1) throw wrongField(`${field} has ${texts.size} IPv${family} addresses`, "a pod has one of each");
  }
  const seen = new Set<string>();
  return addresses.filter((address) => {
    const text = formatAddress(address);
    return seen.has(text) ? false : seen.add(text);
  });
}
