/** IPAMConfiguration and IPReservations as address management takes them. */
import { parseAddress } from "../../ipam/net/address.ts";
import { hostPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { Reservations } from "../../ipam/reservations.ts";
import { type Rules, usualRules } from "../../ipam/rules.ts";
import type { IPAMConfigurationResource, IPReservationResource } from "./resource.ts";

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

function prefixOfText(text: string) {
  const address = parseAddress(text);
  return address === undefined ? prefixOf(text) : hostPrefix(address);
}
