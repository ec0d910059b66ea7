/** IPAMConfiguration and IPReservations as address management takes them. */
import { parseAddress } from "../../ipam/net/address.ts";
import { hostPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { Reservations } from "../../ipam/reservations.ts";
import { type Rules, usualRules } from "../../ipam/rules.ts";
import type { Store } from "../../ipam/store.ts";
import type { IPAMConfigurationResource, IPReservationResource } from "./resource.ts";
import { getResources, listResources } from "./resource-store.ts";
import { IPAM_CONFIGURATION } from "./schema/ipamconfiguration.ts";

export function rulesOf(
  configuration: IPAMConfigurationResource | undefined,
  reservations: readonly IPReservationResource[],
): Rules {
  const prefixes = reservations.flatMap(({ spec }) => spec.reservedCIDRs).map(prefixOfText);
  const reserved = new Reservations(prefixes);
  if (configuration === undefined) return { ...usualRules, reserved };
  const { strictAffinity, maxBlocksPerHost, ipCooldownSeconds } = configuration.spec;
  return { strictAffinity, maxBlocksPerHost, restMs: ipCooldownSeconds * 1000, reserved };
}

/** As they are in the store now. Throws StoreUnavailable. */
export async function readRules(store: Store): Promise<Rules> {
  const [configuration] = (await getResources(store, "IPAMConfiguration", [IPAM_CONFIGURATION])).resources;
  const { resources } = await listResources(store, "IPReservation");
  return rulesOf(
    configuration?.kind === "IPAMConfiguration" ? configuration : undefined,
    resources.filter((resource) => resource.kind === "IPReservation"),
  );
}

function prefixOfText(text: string) {
  const address = parseAddress(text);
  return address === undefined ? prefixOf(text) : hostPrefix(address);
}
