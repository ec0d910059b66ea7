/** BIRD 2: one thread, one table, a protocol for each peer. */
import { writeFileSync } from "node:fs";
import { type BenchPeer, DEVICE } from "../addresses.ts";
import type { Device, Place } from "./device.ts";

export const BIRD: Device = {
  name: "bird",
  note: "next hops are on the link (direct), no filters",
  nature: "speaker",
  program: "/usr/sbin/bird",
  version: ["bird", "--version"],
  cannot: () => undefined,
  prepare(place) {
    const file = (name: string) => `${place.folder}/${name}`;
    writeFileSync(file("bird.conf"), configuration(place));
    return [{ command: ["bird", "-f", "-c", file("bird.conf"), "-s", file("bird.ctl"), "-P", file("bird.pid")] }];
  },
};

function configuration({ port, peers, scenario }: Place): string {
  const kernel = "protocol kernel { ipv4 { import none; export all; }; }";
  return [
    `router id ${DEVICE.address};`,
    "log stderr { warning, error, fatal, bug };",
    "protocol device { }",
    ...(scenario.kernel ? [kernel] : []),
    ...peers.map((peer) => protocol(peer, port, scenario.reflector)),
    "",
  ].join("\n");
}

function protocol(peer: BenchPeer, port: number, reflector: boolean): string {
  const { name, address, asNumber } = peer;
  const policy = (yes: boolean) => (yes ? "all" : "none");
  return `protocol bgp ${name} {
  local ${DEVICE.address} port ${port} as ${DEVICE.asNumber};
  neighbor ${address} as ${asNumber};
  passive; direct; hold time 180;${reflector ? " rr client;" : ""}
  ipv4 { import ${policy(peer.accept)}; export ${policy(peer.announce)}; };
}`;
}
