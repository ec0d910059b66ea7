/** FRR's bgpd at a station, without zebra. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { must } from "../harness/command.ts";
import { eventually } from "../harness/wait.ts";
import type { Segment, Station } from "./segment.ts";

/** A path as `show bgp … json` tells it; what does not matter here is left out. */
export interface FrrPath {
  readonly aspath: { readonly string: string };
  readonly metric?: number;
  readonly community?: { readonly string: string };
  readonly originatorId?: string;
  readonly clusterList?: { readonly list: readonly string[] };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
}

export class Frr {
  readonly station: Station;
  readonly #segment: Segment;

  constructor(segment: Segment, station: Station) {
    this.#segment = segment;
    this.station = station;
  }

  async start(file: string): Promise<void> {
    const { base } = this.station;
    mkdirSync(`${base}.vty`, { recursive: true });
    chmodSync(`${base}.vty`, 0o777);
    writeFileSync(`${base}.conf`, file);
    const place = ["--vty_socket", `${base}.vty`, "-i", `${base}.pid`, "-f", `${base}.conf`, "--log", "stdout"];
    this.#segment.start(this.station, ["/usr/lib/frr/bgpd", "--no_zebra", "-S", "-u", "root", "-g", "root", ...place]);
    await eventually(`FRR of ${base} answers`, 20, async () => (await this.ask("show version")) !== "");
  }

  /** Lines as typed into vtysh, one after the other. */
  ask(...lines: readonly string[]): Promise<string> {
    const words = lines.flatMap((line) => ["-c", line]);
    return must(["vtysh", "--vty_socket", `${this.station.base}.vty`, ...words], { timeoutMs: 20_000 });
  }

  async paths(prefix: string): Promise<readonly FrrPath[]> {
    const said = await this.ask(`show bgp ${familyOf(prefix)} unicast ${prefix} json`);
    return (JSON.parse(said) as { paths?: FrrPath[] }).paths ?? [];
  }

  /** How many prefixes of a family it has from a neighbour. */
  async received(family: "ipv4" | "ipv6", neighbor: string): Promise<number> {
    const said = await this.ask(`show bgp ${family} unicast summary json`);
    return (JSON.parse(said) as { peers: Record<string, { pfxRcd: number }> }).peers[neighbor]?.pfxRcd ?? -1;
  }
}

const familyOf = (prefix: string) => (prefix.includes(":") ? "ipv6" : "ipv4");
