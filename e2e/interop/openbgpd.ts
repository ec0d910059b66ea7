/** OpenBGPD at a station. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { must } from "../harness/command.ts";
import { eventually } from "../harness/wait.ts";
import type { Segment, Station } from "./segment.ts";

/** As `bgpctl -j show rib` tells it; what does not matter here is left out. */
export interface OpenbgpdPath {
  readonly prefix: string;
  readonly aspath: string;
  readonly exit_nexthop: string;
  readonly attributes: readonly { readonly originator?: string; readonly cluster_list?: readonly string[] }[];
}

export class Openbgpd {
  readonly station: Station;
  readonly #segment: Segment;

  constructor(segment: Segment, station: Station) {
    this.#segment = segment;
    this.station = station;
  }

  /** The file without router-id and socket. It rests for two minutes when its first try to connect is refused. */
  async start(file: string): Promise<void> {
    const { base, ipv4 } = this.station;
    writeFileSync(`${base}.conf`, `router-id ${ipv4}\nsocket "${base}.sock"\nfib-update no\n${file}`);
    chmodSync(`${base}.conf`, 0o600);
    // Its privilege separation wants its user's home, which a service manager would have made.
    const passwd = await must(["getent", "passwd", "_openbgpd"]);
    mkdirSync(passwd.split(":")[5] ?? "/run/openbgpd", { recursive: true });
    this.#segment.start(this.station, ["/usr/sbin/bgpd", "-d", "-f", `${base}.conf`]);
    await eventually(`OpenBGPD of ${base} answers`, 20, async () => (await this.ask("show", "summary")) !== "");
  }

  ask(...words: readonly string[]): Promise<string> {
    return must(["bgpctl", "-s", `${this.station.base}.sock`, ...words]);
  }

  async paths(prefix: string): Promise<readonly OpenbgpdPath[]> {
    const said = await this.ask("-j", "show", "rib", "detail", prefix);
    return (JSON.parse(said) as { rib?: OpenbgpdPath[] }).rib ?? [];
  }
}
