/**
 * FRR's bgpd, with zebra only where routes go to the kernel. As installed it waits before it announces (one second
 * and 50 ms for each peer, at most ten seconds) to collect routes; `frr` has that switched off, `frr-delays` on.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { type BenchPeer, DEVICE } from "../addresses.ts";
import type { Device, Place, Program } from "./device.ts";

const FOLDER = "/usr/lib/frr";

export const FRR = frr("frr", "its advertisement delays are off (coalesce-time 0, advertisement-interval 0)", false);
export const FRR_DELAYS = frr("frr-delays", "its advertisement delays are on, as installed", true);

function frr(name: string, note: string, delays: boolean): Device {
  return {
    name,
    note,
    nature: "speaker",
    program: `${FOLDER}/bgpd`,
    version: [`${FOLDER}/bgpd`, "--version"],
    cannot: () => undefined,
    prepare: (place) => programs(place, delays),
  };
}

function programs(place: Place, delays: boolean): Program[] {
  const file = (name: string) => `${place.folder}/${name}`;
  const common = (name: string) => [
    ...["-f", file(`${name}.conf`), "-i", file(`${name}.pid`), "-z", file("zserv.sock"), "--vty_socket", place.folder],
    ...["-P", "0", "--log", "stdout", "--log-level", "emergencies"],
  ];
  writeFileSync(file("bgpd.conf"), configuration(place, delays));
  const bgpd = [`${FOLDER}/bgpd`, ...common("bgpd"), "-p", String(place.port), "-S"];
  if (!place.scenario.kernel) return [{ command: [...bgpd, "--no_zebra", "-l", DEVICE.address] }];
  writeFileSync(file("zebra.conf"), "");
  // zebra gives up root, and makes its socket after that.
  chmodSync(place.folder, 0o777);
  return [{ command: [`${FOLDER}/zebra`, ...common("zebra")], makes: file("zserv.sock") }, { command: bgpd }];
}

function configuration({ peers, scenario }: Place, delays: boolean): string {
  const neighbor = ({ address, asNumber }: BenchPeer) => [
    ` neighbor ${address} remote-as ${asNumber}`,
    ` neighbor ${address} passive`,
    ` neighbor ${address} timers 60 180`,
    ...(delays ? [] : [` neighbor ${address} advertisement-interval 0`]),
  ];
  const family = ({ address, accept, announce }: BenchPeer) => [
    `  neighbor ${address} activate`,
    ...(scenario.reflector ? [`  neighbor ${address} route-reflector-client`] : []),
    ...(accept ? [] : [`  neighbor ${address} route-map none in`]),
    ...(announce ? [] : [`  neighbor ${address} route-map none out`]),
  ];
  return [
    "frr defaults traditional",
    `router bgp ${DEVICE.asNumber}`,
    ` bgp router-id ${DEVICE.address}`,
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    ...(delays ? [] : [" coalesce-time 0"]),
    ...peers.flatMap(neighbor),
    " address-family ipv4 unicast",
    ...peers.flatMap(family),
    " exit-address-family",
    "route-map none deny 1",
    "",
  ].join("\n");
}
