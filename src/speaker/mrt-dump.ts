/** Every path of a speaker as an MRT dump, made piece by piece while the speaker goes on. */
import { setImmediate as turn } from "node:timers/promises";
import type { Neighbor } from "../../bgp/neighbor.ts";
import type { FamilyRib } from "../../bgp/rib/family-rib.ts";
import { NO_PATH } from "../../bgp/rib/paths.ts";
import { FAMILIES, type Rib } from "../../bgp/rib/rib.ts";
import { LOCAL_SOURCE } from "../../bgp/rib/sources.ts";
import type { PathAttributes } from "../../bgp/wire/path-attributes.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { type MrtPath, mrtPeerIndex, mrtPrefix } from "./mrt.ts";

export interface MrtSource {
  readonly rib: Rib;
  readonly neighbors: readonly Neighbor[];
  /** The speaker's clock as milliseconds since 1970. */
  wall(monotonic: number): number;
}

const VIEW = "overland";
const UNKNOWN_ID = addressOf("0.0.0.0");
const UNSPECIFIED = { 4: addressOf("0.0.0.0"), 6: addressOf("::") } as const;
/** Milliseconds of work, and octets, before the event loop has its turn. */
const PIECE_MS = 5;
const PIECE_OCTETS = 64 * 1024;
/** Prefixes between two looks at the clock. */
const BATCH = 64;

/** What changes while it is made may or may not be in it. */
export async function* mrtDump(source: MrtSource, nowSeconds: number): AsyncGenerator<Uint8Array> {
  const { rib, neighbors } = source;
  const own = neighbors[0]?.peer.config;
  const routerId = own?.routerId ?? UNKNOWN_ID;
  const peers = neighbors.map(({ peer, source: number }) => ({
    routerId: peer.session?.negotiated.peerId ?? rib.sources.get(number).peerId,
    address: peer.config.address,
    asNumber: peer.session?.negotiated.asNumber ?? peer.config.asNumber,
  }));
  const speaker = { routerId, address: UNSPECIFIED[4], asNumber: own?.localAsNumber ?? 0 };
  const index = new Map(neighbors.map((neighbor, i) => [neighbor.source, i + 1]));
  index.set(LOCAL_SOURCE, 0);
  const since = new Map(
    neighbors.map(({ source: number, peer }) => [number, Math.floor(source.wall(peer.since) / 1000)]),
  );
  yield mrtPeerIndex(nowSeconds, routerId, VIEW, [speaker, ...peers]);

  let pieces: Uint8Array[] = [];
  let octets = 0;
  let sequence = 0;
  for (const family of FAMILIES) {
    const table = rib.families[family];
    let started = performance.now();
    for (let id = 0; id < table.prefixes.bound; id++) {
      if (id % BATCH === 0 && (octets >= PIECE_OCTETS || performance.now() - started >= PIECE_MS)) {
        if (pieces.length > 0) yield Buffer.concat(pieces);
        pieces = [];
        octets = 0;
        await turn();
        started = performance.now();
      }
      if (!table.prefixes.isInUse(id) || table.paths.first(id) === NO_PATH) continue;
      const paths = pathsOf(rib, table, id, index, (number) => since.get(number) ?? nowSeconds);
      for (const record of mrtPrefix(nowSeconds, sequence++, table.prefixes.prefix(id), paths)) {
        pieces.push(record);
        octets += record.length;
      }
    }
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}

function pathsOf(
  rib: Rib,
  table: FamilyRib,
  id: number,
  index: ReadonlyMap<number, number>,
  sinceOf: (source: number) => number,
): MrtPath[] {
  const found: MrtPath[] = [];
  const { paths } = table;
  for (let path = paths.first(id); path !== NO_PATH; path = paths.next(path)) {
    const source = paths.source(path);
    // A peer that was added since the index was written.
    const peer = index.get(source);
    if (peer === undefined) continue;
    const attributes = withNextHop(rib.attributes.attributes(paths.received(path)), table.family);
    found.push({ peer, since: sinceOf(source), pathId: paths.pathId(path), attributes });
  }
  return found;
}

/** A route of our own has no next hop until it is announced: readers expect one, and know this one for "itself". */
function withNextHop(attributes: PathAttributes, family: 4 | 6): PathAttributes {
  return attributes.nextHop.length > 0 ? attributes : { ...attributes, nextHop: UNSPECIFIED[family] };
}
