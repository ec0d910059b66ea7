/** GoBGP with its runtime's defaults. It reaches the kernel through FRR's zebra only, so it sits that scenario out. */
import { writeFileSync } from "node:fs";
import { type BenchPeer, DEVICE, GENERATOR_ADDRESS } from "../addresses.ts";
import type { Device, Place } from "./device.ts";

export const GOBGP: Device = {
  name: "gobgp",
  note: "Go runtime's defaults",
  nature: "speaker",
  program: "/usr/bin/gobgpd",
  version: ["gobgpd", "--version"],
  cannot: ({ kernel }) => (kernel ? "installs routes through FRR's zebra only" : undefined),
  prepare(place) {
    const file = `${place.folder}/gobgpd.conf`;
    writeFileSync(file, configuration(place));
    return [{ command: ["gobgpd", "-f", file, "--api-hosts", "127.0.0.1:50051", "--pprof-disable", "-l", "error"] }];
  },
};

function configuration({ port, peers, scenario }: Place): string {
  return `[global.config]
as = ${DEVICE.asNumber}
router-id = "${DEVICE.address}"
port = ${port}
local-address-list = ["${DEVICE.address}"]
${scenario.allToAll ? "" : TO_RECEIVER}
${peers.map((peer) => neighbor(peer, scenario.reflector)).join("\n")}
`;
}

/** All is refused on its way out but to the one receiver. */
const TO_RECEIVER = `[global.apply-policy.config]
export-policy-list = ["out"]
default-export-policy = "reject-route"
[[defined-sets.neighbor-sets]]
neighbor-set-name = "receiver"
neighbor-info-list = ["${GENERATOR_ADDRESS}"]
[[policy-definitions]]
name = "out"
[[policy-definitions.statements]]
name = "to-receiver"
[policy-definitions.statements.conditions.match-neighbor-set]
neighbor-set = "receiver"
[policy-definitions.statements.actions]
route-disposition = "accept-route"`;

function neighbor({ address, asNumber }: BenchPeer, reflector: boolean): string {
  const client = `[neighbors.route-reflector.config]
route-reflector-client = true
route-reflector-cluster-id = "${DEVICE.address}"`;
  return `[[neighbors]]
[neighbors.config]
neighbor-address = "${address}"
peer-as = ${asNumber}
[neighbors.timers.config]
hold-time = 180
keepalive-interval = 60
[neighbors.transport.config]
passive-mode = true
local-address = "${DEVICE.address}"
${reflector ? client : ""}`;
}
