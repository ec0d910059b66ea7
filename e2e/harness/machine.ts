/** The machine itself, outside every lab: what a lab must leave exactly as it was. */
import { readdirSync } from "node:fs";
import { must } from "./command.ts";

export interface MachineState {
  readonly namespaces: readonly string[];
  readonly links: string;
  readonly routes: string;
  readonly rules: string;
  readonly files: readonly string[];
}

export async function machineState(): Promise<MachineState> {
  const [links, ipv4, ipv6, rules] = await Promise.all([
    must(["ip", "-o", "link"]),
    must(["ip", "route"]),
    must(["ip", "-6", "route"]),
    must(["nft", "list", "ruleset"]),
  ]);
  const labs = ["/run/overland-lab", "/var/lib/overland-lab"].flatMap((directory) =>
    list(directory)
      .filter((name) => name.startsWith("e2e"))
      .map((name) => `${directory}/${name}`),
  );
  return {
    // Of the scenarios' labs: what else is done on the machine meanwhile is nobody's fault here.
    namespaces: list("/run/netns").filter((name) => name.startsWith("ovl-e2e")),
    links,
    routes: ipv4 + ipv6,
    rules,
    files: labs,
  };
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
