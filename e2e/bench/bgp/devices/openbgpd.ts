/** OpenBGPD: three processes. The portable version changes no routes of Linux, so it sits that scenario out. */
import { writeFileSync } from "node:fs";
import { type BenchPeer, DEVICE } from "../addresses.ts";
import type { Device, Place } from "./device.ts";

export const OPENBGPD: Device = {
  name: "openbgpd",
  note: "three processes",
  nature: "speaker",
  program: "/usr/sbin/bgpd",
  version: ["/usr/sbin/bgpd", "-V"],
  // Its processes without rights live there; its service would make it.
  room: "/run/openbgpd",
  cannot: ({ kernel }) => (kernel ? "changes no kernel routes on Linux" : undefined),
  prepare(place) {
    const file = `${place.folder}/bgpd.conf`;
    writeFileSync(file, configuration(place), { mode: 0o600 });
    return [{ command: ["/usr/sbin/bgpd", "-d", "-f", file] }];
  },
};

function configuration({ folder, port, peers, scenario }: Place): string {
  return [
    `AS ${DEVICE.asNumber}`,
    `router-id ${DEVICE.address}`,
    `listen on ${DEVICE.address} port ${port}`,
    `socket "${folder}/bgpd.sock"`,
    "fib-update no",
    "holdtime 180",
    ...peers.map((peer) => neighbor(peer, scenario.reflector)),
    ...peers.filter(({ accept }) => accept).map(({ address }) => `allow from ${address}`),
    ...peers.filter(({ announce }) => announce).map(({ address }) => `allow to ${address}`),
    "",
  ].join("\n");
}

function neighbor({ address, asNumber, announce }: BenchPeer, reflector: boolean): string {
  return `neighbor ${address} {
  remote-as ${asNumber}
  local-address ${DEVICE.address}
  passive
  announce IPv4 unicast
${reflector ? "  route-reflector\n" : ""}${announce ? "" : "  export none\n"}}`;
}
