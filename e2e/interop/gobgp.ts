/** GoBGP at a station. */
import { writeFileSync } from "node:fs";
import { must } from "../harness/command.ts";
import { eventually } from "../harness/wait.ts";
import type { Segment, Station } from "./segment.ts";

/** Attributes by their type numbers, as GoBGP tells them. */
interface Told {
  readonly attrs: readonly {
    readonly type: number;
    readonly value?: unknown;
    readonly nexthop?: string;
    readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  }[];
}

export interface GobgpPath {
  readonly path: string;
  readonly nextHop: string | undefined;
  readonly originatorID: string | undefined;
  readonly clusterList: readonly string[] | undefined;
}

const [AS_PATH, NEXT_HOP, ORIGINATOR_ID, CLUSTER_LIST, MP_REACH_NLRI] = [2, 3, 9, 10, 14];

export class Gobgp {
  readonly station: Station;
  readonly #segment: Segment;

  constructor(segment: Segment, station: Station) {
    this.#segment = segment;
    this.station = station;
  }

  /** Sessions in the AS with these neighbours, both families. */
  async start(
    asNumber: number,
    neighbors: readonly { readonly address: string; readonly as: number }[],
  ): Promise<void> {
    const { base, ipv4 } = this.station;
    const family = (name: string) =>
      `[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "${name}"\n`;
    const sections = neighbors.map(
      ({ address, as }) => `[[neighbors]]
[neighbors.config]
neighbor-address = "${address}"
peer-as = ${as}
[neighbors.timers.config]
connect-retry = 1
${family("ipv4-unicast")}${family("ipv6-unicast")}`,
    );
    writeFileSync(`${base}.conf`, `[global.config]\nas = ${asNumber}\nrouter-id = "${ipv4}"\n${sections.join("")}`);
    this.#segment.start(this.station, ["gobgpd", "-f", `${base}.conf`, "--api-hosts", "127.0.0.1:50051"]);
    await eventually(`GoBGP of ${base} answers`, 20, async () => (await this.ask("neighbor")) !== "");
  }

  ask(...words: readonly string[]): Promise<string> {
    return must(["gobgp", ...words], { netns: this.station.netns });
  }

  /** A route of its own, with its own address as the next hop. */
  async announce(prefix: string): Promise<void> {
    const { ipv4, ipv6 } = this.station;
    const nextHop = prefix.includes(":") ? ipv6 : ipv4;
    await this.ask("global", "rib", "add", "-a", familyOf(prefix), prefix, "nexthop", nextHop);
  }

  async paths(prefix: string): Promise<readonly GobgpPath[]> {
    const said = await this.ask("global", "rib", "-j", "-a", familyOf(prefix), prefix);
    const told: readonly Told[] = Object.values(JSON.parse(said) as Readonly<Record<string, Told[]>>).flat();
    return told.map(({ attrs }) => {
      const valueOf = (type: number) => attrs.find((one) => one.type === type);
      const segments = valueOf(AS_PATH)?.as_paths ?? [];
      return {
        path: segments.flatMap(({ asns }) => asns).join(" "),
        nextHop: valueOf(NEXT_HOP)?.nexthop ?? valueOf(MP_REACH_NLRI)?.nexthop,
        originatorID: valueOf(ORIGINATOR_ID)?.value as string | undefined,
        clusterList: valueOf(CLUSTER_LIST)?.value as string[] | undefined,
      };
    });
  }
}

const familyOf = (prefix: string) => (prefix.includes(":") ? "ipv6" : "ipv4");
