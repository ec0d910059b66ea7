/** Where resources are in the store. */
import { KINDS, type Kind, PLURALS } from "./kinds.ts";

export const RESOURCES_ROOT = "/overland/v1/resources/";

/**
 * Written with every change of a pool, and compared: two people who add pools at the same moment cannot both be told
 * that theirs overlaps no other. Outside the root, so that watchers of resources do not see it.
 */
export const POOLS_GUARD = "/overland/v1/guards/ippools";

/** The same for BGPFilters: one that a BGPPeer starts to name is not deleted at the same moment. */
export const FILTERS_GUARD = "/overland/v1/guards/bgpfilters";

export function kindRoot(kind: Kind): string {
  return `${RESOURCES_ROOT}${PLURALS[kind]}/`;
}

/** Names are DNS-1123 subdomains, so they need no encoding. */
export function resourceKey(kind: Kind, name: string): string {
  return kindRoot(kind) + name;
}

export function kindOfKey(key: string): Kind | undefined {
  const plural = key.slice(RESOURCES_ROOT.length).split("/")[0];
  return KINDS.find((kind) => PLURALS[kind] === plural);
}

/** Which agent has a node's name. */
export function agentKey(node: string): string {
  return `/overland/v1/agents/${encodeURIComponent(node)}`;
}
