/** Answers of a speaker, in the agent, alone or replayed, about what it knows. Nothing here changes it. */
import { formatAddress } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Neighbor } from "../neighbor.ts";
import { FAMILIES } from "../rib/rib.ts";
import type { Speaker } from "../speaker.ts";
import { explain, rulesOf } from "./explain.ts";
import { FAMILY_NAME } from "./names.ts";
import { countPaths, peerSummary, peerView } from "./peers.ts";
import { walkRoutes } from "./routes.ts";
import type {
  Explanation,
  Inspector,
  PeerSummary,
  PeerView,
  RibSummary,
  RouteQuery,
  RouteView,
  Steps,
  Wall,
} from "./types.ts";

export interface InspectionPorts {
  readonly speaker: Speaker;
  /** The clock that the speaker is told (ms). */
  now(): number;
  readonly wall: Wall;
  /** Whether the kernel has our route to a prefix; absent: no kernel routes are written. */
  isInstalled?(prefix: Prefix): boolean;
}

export class Inspection implements Inspector {
  readonly #ports: InspectionPorts;

  constructor(ports: InspectionPorts) {
    this.#ports = ports;
  }

  findPeer(nameOrAddress: string): string | undefined {
    const { neighbors } = this.#ports.speaker;
    const named = neighbors.find(({ peer }) => peer.config.name === nameOrAddress);
    if (named !== undefined) return named.peer.config.name;
    const [first, ...others] = neighbors.filter(({ peer }) => formatAddress(peer.config.address) === nameOrAddress);
    return others.length === 0 ? first?.peer.config.name : undefined;
  }

  peerNames(): readonly string[] {
    return this.#ports.speaker.neighbors.map(({ peer }) => peer.config.name);
  }

  *peers(): Steps<readonly PeerSummary[]> {
    const { speaker, now, wall } = this.#ports;
    const counts = yield* countPaths(speaker.rib, speaker.neighbors);
    return speaker.neighbors.map((neighbor) => peerSummary(speaker.rib, neighbor, counts, now(), wall));
  }

  /** Every peer with all there is. */
  *peerViews(): Steps<readonly PeerView[]> {
    const { speaker, now, wall } = this.#ports;
    const counts = yield* countPaths(speaker.rib, speaker.neighbors);
    return speaker.neighbors.map((neighbor) => peerView(speaker.rib, neighbor, counts, now(), wall));
  }

  *peer(name: string): Steps<PeerView | undefined> {
    const { speaker, now, wall } = this.#ports;
    const counts = yield* countPaths(speaker.rib, speaker.neighbors);
    const neighbor = this.#neighbor(name);
    return neighbor && peerView(speaker.rib, neighbor, counts, now(), wall);
  }

  rib(): RibSummary {
    const { rib } = this.#ports.speaker;
    return {
      families: FAMILIES.map((family) => {
        const { prefixes, paths, marked } = rib.families[family];
        return { family: FAMILY_NAME[family], prefixes: prefixes.size, paths: paths.size, pending: marked.size };
      }),
      attributeSets: rib.attributes.size,
    };
  }

  *routes({ from, to, ...query }: RouteQuery): Iterable<readonly RouteView[]> {
    const sources = {
      ...(from !== undefined && { from: this.#sourceOf(from) }),
      ...(to !== undefined && { to: this.#sourceOf(to) }),
    };
    const { speaker } = this.#ports;
    yield* walkRoutes(speaker.rib, { ...query, ...sources }, rulesOf(speaker.neighbors));
  }

  explain(asked: string): Explanation {
    const { speaker, isInstalled } = this.#ports;
    const answer = explain(speaker.rib, speaker.neighbors, asked);
    if (isInstalled === undefined || answer.prefix === undefined) return answer;
    const installed = isInstalled(prefixOf(answer.prefix));
    if (answer.forwarding === undefined) return installed ? { ...answer, kernel: "it is about to go" } : answer;
    return { ...answer, kernel: installed ? "installed" : "not installed: it is on its way, or the kernel refused it" };
  }

  /** -1 for a peer that is gone: nothing is from it. */
  #sourceOf(name: string): number {
    return this.#neighbor(name)?.source ?? -1;
  }

  #neighbor(name: string): Neighbor | undefined {
    return this.#ports.speaker.neighbors.find(({ peer }) => peer.config.name === name);
  }
}
