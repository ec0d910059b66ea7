/**
 * A machine of the scenario's own on a rack's network: for a router that the lab does not have, or a hand-made peer.
 */
import { writeFileSync } from "node:fs";
import { must } from "./command.ts";
import { ip, type ScenarioLab } from "./lab.ts";
import { end, type Process, processIn, startIn } from "./processes.ts";
import { eventually } from "./wait.ts";

export interface Guest {
  readonly name: string;
  readonly netns: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Host number 100 to 254 in the rack's subnets. `overland lab down` removes it with the rest. */
export async function addGuest(lab: ScenarioLab, rack: number, name: string, host: number): Promise<Guest> {
  const netns = `ovl-${lab.name}-${name}`;
  const tor = lab.router(`tor${rack}`).netns;
  const guest = { name, netns, ipv4: `10.10.${rack}.${host}`, ipv6: `fd00:10:${rack}::${host}` };
  await must(["ip", "netns", "add", netns]);
  await must(["ip", "link", "add", "eth0", "netns", netns, "type", "veth", "peer", "name", name, "netns", tor]);
  await ip(tor, "link", "set", name, "master", "rack", "up");
  for (const link of ["lo", "eth0"]) await ip(netns, "link", "set", link, "up");
  await ip(netns, "address", "add", `${guest.ipv4}/24`, "dev", "eth0");
  await ip(netns, "address", "add", `${guest.ipv6}/64`, "dev", "eth0", "nodad");
  return guest;
}

export interface GuestBird {
  /** For birdc. */
  readonly control: string;
  readonly process: Process;
  stop(): Promise<void>;
}

export async function startBird(lab: ScenarioLab, guest: Guest, configuration: string): Promise<GuestBird> {
  const base = `${lab.plan.directory}/${guest.name}`;
  writeFileSync(`${base}.conf`, configuration);
  startIn(guest.netns, ["bird", "-f", "-c", `${base}.conf`, "-s", `${base}.ctl`], `${lab.plan.log}/${guest.name}.log`);
  const process = await eventually(`BIRD runs as ${guest.name}`, 5, async () => {
    await must(["birdc", "-s", `${base}.ctl`, "show", "status"]);
    return processIn(guest.netns, "bird", "-f");
  });
  return { control: `${base}.ctl`, process, stop: () => end(process) };
}
