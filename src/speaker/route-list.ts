/** Every path a speaker has, for /v1/routes. */
import { NO_SET } from "../../bgp/rib/attribute-table.ts";
import type { FamilyRib } from "../../bgp/rib/family-rib.ts";
import { NO_PATH } from "../../bgp/rib/paths.ts";
import { FAMILIES, type Rib } from "../../bgp/rib/rib.ts";
import { LOCAL_SOURCE } from "../../bgp/rib/sources.ts";
import { formatAsPath } from "../../bgp/wire/as-path.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";

const ORIGIN_NAME = ["igp", "egp", "incomplete"] as const;

/** Prefixes looked at, or paths listed, in one batch: a millisecond or so. */
const BATCH = 256;

/** Best or not. Between two batches the speaker may go on: what changes meanwhile may or may not be seen. */
export function* routeList(rib: Rib, isInstalled: (prefix: Prefix) => boolean): Generator<object[]> {
  for (const family of FAMILIES) {
    const table = rib.families[family];
    let batch: object[] = [];
    for (let id = 0; id < table.prefixes.bound; id++) {
      if (table.prefixes.isInUse(id)) batch.push(...pathsTo(rib, table, id, isInstalled));
      if (batch.length < BATCH && id % BATCH !== 0) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }
}

function pathsTo(rib: Rib, table: FamilyRib, id: number, isInstalled: (prefix: Prefix) => boolean): object[] {
  const { paths } = table;
  const prefix = table.prefixes.prefix(id);
  const routes: object[] = [];
  for (let path = paths.first(id); path !== NO_PATH; path = paths.next(path)) {
    const source = paths.source(path);
    const local = source === LOCAL_SOURCE;
    const best = table.best(id) === path;
    const inForce = paths.inForce(path);
    const attributes = rib.attributes.attributes(inForce === NO_SET ? paths.received(path) : inForce);
    routes.push({
      prefix: formatPrefix(prefix),
      best,
      ...(best ? { decidedBy: table.step(id, rib.decision) } : {}),
      ...(inForce === NO_SET ? { refused: true } : {}),
      nextHop: local ? "" : formatAddress(attributes.nextHop),
      peer: local ? "" : rib.sources.get(source).name,
      asPath: formatAsPath(attributes.asPath)
        .split(" ")
        .filter((part) => part !== ""),
      localPref: attributes.localPref,
      med: attributes.med,
      origin: ORIGIN_NAME[attributes.origin],
      stale: paths.isStale(path),
      installed: best && !local && isInstalled(prefix),
    });
  }
  return routes;
}
