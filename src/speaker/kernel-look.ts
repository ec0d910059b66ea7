/**
 * A look at the kernel's whole table: a new copy of the routes others made, and which of ours are not as they should
 * be.
 *
 * Half a million routes take most of a second; meanwhile the loop turns, routes are written and events come in. That
 * does no harm: what is found wrong is written as it is wanted by then, which at worst says the same twice.
 */
import type { Prefix } from "../../ipam/net/prefix.ts";
import { type KernelRoutes, ROUTE_METRIC, ROUTE_PROTOCOL, type RouteView } from "../kernel/routes.ts";
import type { ForeignTables } from "./foreign-tables.ts";
import type { Forwarding } from "./forwarding.ts";
import { PrefixSet } from "./prefix-set.ts";

/** Work is done in pieces of this length, between which the loop turns. */
const SLICE_MS = 5;
const PREFIXES_IN_STEP = 1000;

export interface Looked {
  /** How many of our routes differed; each is written again with the next {@link Forwarding.forward}. */
  readonly wrong: number;
  /** False: the kernel says that the listing was disturbed. */
  readonly whole: boolean;
}

/** The copies are filled; absent forwarding: our own routes are passed over. */
export async function lookAtKernel(
  kernel: Pick<KernelRoutes, "scan" | "table" | "beginListing" | "endListing">,
  copies: ForeignTables,
  forwarding: Forwarding | undefined,
): Promise<Looked> {
  const seen = new PrefixSet();
  const nextHops = new Set<number>();
  let wrong = 0;
  let whole = true;
  const writeAgain = (prefix: Prefix) => {
    wrong++;
    forwarding?.writeAgain(prefix);
  };
  kernel.beginListing();
  for (const table of copies.tables) {
    const steps = kernel.scan((route) => {
      if (route.nextHopId !== 0) nextHops.add(route.nextHopId);
      if (route.protocol !== ROUTE_PROTOCOL) return copies.list(route);
      if (forwarding === undefined || !isOurs(route, kernel.table)) return;
      const prefix = { address: route.address, length: route.length };
      seen.add(prefix.address, prefix.length);
      if (!forwarding.isRight(route, prefix)) writeAgain(prefix);
    }, table);
    if (!(await inSlices(steps))) whole = false;
  }
  if (whole) kernel.endListing(nextHops);
  if (forwarding !== undefined) await inSlices(missing(forwarding, seen, writeAgain));
  return { wrong, whole };
}

/** Routes to pods carry our protocol too, with another metric: they belong to the pod's wiring. */
export function isOurs(route: Pick<RouteView, "protocol" | "metric" | "table">, table: number): boolean {
  return route.protocol === ROUTE_PROTOCOL && route.metric === ROUTE_METRIC && route.table === table;
}

function* missing(forwarding: Forwarding, seen: PrefixSet, visit: (prefix: Prefix) => void): Generator<void, void> {
  let looked = 0;
  for (const prefix of forwarding.everyPrefix()) {
    if (!seen.has(prefix.address, prefix.length)) visit(prefix);
    if (++looked % PREFIXES_IN_STEP === 0) yield;
  }
}

async function inSlices<T>(steps: Generator<void, T>): Promise<T> {
  for (let until = performance.now() + SLICE_MS; ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < until) continue;
    await new Promise((resolve) => setImmediate(resolve));
    until = performance.now() + SLICE_MS;
  }
}
