/** Of peers that are about to go: those whose routes nobody else has. */
import { NO_SET } from "./attribute-table.ts";
import { NO_PATH, type Paths } from "./paths.ts";
import { FAMILIES, type Rib } from "./rib.ts";

/** Sources among the given ones that have a usable path to a prefix, where all usable ones are of given sources. */
export function neededSources(rib: Rib, going: ReadonlySet<number>): Set<number> {
  const needed = new Set<number>();
  for (const family of FAMILIES) {
    const { paths } = rib.families[family];
    for (let path = 0; path < paths.bound; path++) {
      const source = paths.source(path);
      if (!going.has(source) || needed.has(source) || paths.inForce(path) === NO_SET) continue;
      if (!hasOther(paths, paths.prefix(path), going)) needed.add(source);
    }
  }
  return needed;
}

function hasOther(paths: Paths, prefix: number, going: ReadonlySet<number>): boolean {
  for (let path = paths.first(prefix); path !== NO_PATH; path = paths.next(path)) {
    if (!going.has(paths.source(path)) && paths.inForce(path) !== NO_SET) return true;
  }
  return false;
}
