/** Overland's own speaker, started as a user starts it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchPeer, DEVICE } from "../addresses.ts";
import type { Device, Place } from "./device.ts";

const PROGRAM = join(import.meta.dirname, "../../../../src/overland");

export const OVERLAND: Device = {
  name: "overland",
  note: "as installed",
  nature: "speaker",
  program: PROGRAM,
  version: [PROGRAM, "--version"],
  cannot: () => undefined,
  prepare(place) {
    const file = `${place.folder}/speaker.yaml`;
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(configuration(place)));
    return [{ command: [PROGRAM, "speaker", "--config", file] }];
  },
};

function configuration({ folder, port, peers, scenario }: Place): object {
  return {
    asNumber: DEVICE.asNumber,
    routerID: DEVICE.address,
    listen: [{ address: DEVICE.address, port }],
    peers: peers.map((peer) => neighbor(peer, scenario.reflector)),
    kernel: { install: scenario.kernel, table: 254 },
    api: { socket: `${folder}/speaker.sock`, http: "127.0.0.1:9179" },
  };
}

function neighbor({ name, address, asNumber, accept, announce }: BenchPeer, reflector: boolean): object {
  const policy = (yes: boolean) => (yes ? "Accept" : "Reject");
  return {
    name,
    address,
    asNumber,
    passive: true,
    holdTime: "180s",
    import: policy(accept),
    export: policy(announce),
    ...(reflector ? { routeReflectorClient: true } : {}),
  };
}
