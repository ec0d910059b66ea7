/** Where the records of address management are in the store. */
import { type Prefix, parsePrefix, prefixKey } from "./net/prefix.ts";

export const ipamRoot = "/overland/v1/ipam/";
export const blocksRoot = `${ipamRoot}blocks/`;
export const affinitiesRoot = `${ipamRoot}affinities/`;
export const handlesRoot = `${ipamRoot}handles/`;

/** `/overland/v1/ipam/blocks/10.244.0.0-26` */
export function blockKey(cidr: Prefix): string {
  return blocksRoot + dashed(cidr);
}

export function blockOfKey(key: string): Prefix | undefined {
  return key.startsWith(blocksRoot) ? undashed(key.slice(blocksRoot.length)) : undefined;
}

/** All of one node's affinities. A name is encoded, so that none can reach into another's folder. */
export function affinitiesOf(node: string): string {
  return `${affinitiesRoot}${encodeURIComponent(node)}/`;
}

export function affinityKey(node: string, cidr: Prefix): string {
  return affinitiesOf(node) + dashed(cidr);
}

export function affinityOfKey(key: string): { readonly node: string; readonly cidr: Prefix } | undefined {
  const parts = key.startsWith(affinitiesRoot) ? key.slice(affinitiesRoot.length).split("/") : [];
  const cidr = parts.length === 2 ? undashed(parts[1] as string) : undefined;
  const node = decoded(parts[0] ?? "");
  return cidr === undefined || node === undefined ? undefined : { node, cidr };
}

export function handleKey(handle: string): string {
  return handlesRoot + encodeURIComponent(handle);
}

export function handleOfKey(key: string): string | undefined {
  return key.startsWith(handlesRoot) ? decoded(key.slice(handlesRoot.length)) : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function dashed(cidr: Prefix): string {
  return prefixKey(cidr).replace("/", "-");
}

function undashed(text: string): Prefix | undefined {
  return parsePrefix(text.replace("-", "/"));
}
