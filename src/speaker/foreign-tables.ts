/** The {@link ForeignRoutes} of a speaker's tables: the main one, and its own where that is another. */
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import type { Address } from "../../ipam/net/address.ts";
import type { RouteEventKind } from "../kernel/monitor.ts";
import { ROUTE_METRIC, type RouteView, RT_TABLE_MAIN } from "../kernel/routes.ts";
import { type Change, ForeignRoutes } from "./foreign-routes.ts";

export class ForeignTables {
  readonly #main = new ForeignRoutes(ROUTE_METRIC);
  readonly #own: ForeignRoutes;
  readonly #ownTable: number;
  /** While the tables are being listed: what events have told of, which the listing may show as it was before. */
  #told: Set<string> | undefined;

  constructor(ownTable: number) {
    this.#ownTable = ownTable;
    this.#own = ownTable === RT_TABLE_MAIN ? this.#main : new ForeignRoutes(ROUTE_METRIC);
  }

  get tables(): ReadonlySet<number> {
    return new Set([RT_TABLE_MAIN, this.#ownTable]);
  }

  /** Events come in between the steps of a listing. */
  beginListing(): void {
    this.#told = new Set();
  }

  endListing(): void {
    this.#told = undefined;
  }

  /** Takes in a route of a listing. */
  list(route: RouteView): void {
    if (this.#told !== undefined && this.#told.size > 0 && this.#told.has(nameOf(route))) return;
    this.#of(route.table)?.event("new", route);
  }

  event(kind: RouteEventKind, route: RouteView): Change {
    this.#told?.add(nameOf(route));
    return this.#of(route.table)?.event(kind, route) ?? "none";
  }

  /** What can be used of the main table. */
  underlay(): UnderlayRoute[] {
    return this.#main.underlay();
  }

  /** True when a route of somebody else has the prefix at our metric in our table. */
  occupies(address: Address, length: number): boolean {
    return this.#own.occupies(address, length);
  }

  uses(interfaceIndex: number): boolean {
    return this.#main.uses(interfaceIndex) || this.#own.uses(interfaceIndex);
  }

  get hasNextHopObjects(): boolean {
    return this.#main.hasNextHopObjects || this.#own.hasNextHopObjects;
  }

  #of(table: number): ForeignRoutes | undefined {
    if (table === RT_TABLE_MAIN) return this.#main;
    return table === this.#ownTable ? this.#own : undefined;
  }
}

function nameOf({ table, address, length, metric }: RouteView): string {
  return `${table} ${address.join(".")}/${length} ${metric}`;
}
