/** `overland bgp routes`: a table that is printed as it comes, however long it is. */
import { once } from "node:events";
import type { RouteView } from "../../bgp/inspect/types.ts";
import { compareAddresses } from "../../ipam/net/address.ts";
import { type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { askLong, linesOf } from "./bgp-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { type Column, table } from "./table.ts";
import { note } from "./terminal.ts";

/** So many routes are put in order and made one table; a longer list comes in pieces, in the speaker's own order. */
const SORTED_ROUTES = 5_000;

export async function bgpRoutes(prefix: string | undefined, options: OptionValues): Promise<void> {
  const flag = (name: string) => (options[name] === true ? "true" : undefined);
  const { in: from, out: to } = options as { in?: string; out?: string };
  if (from !== undefined && to !== undefined) throw new Failure("--in and --out together: choose one of them", 2);
  if (options["4"] === true && options["6"] === true) throw new Failure("-4 and -6 together: choose one of them", 2);
  if (options["longerPrefixes"] === true && prefix === undefined) {
    throw new Failure("--longer-prefixes: of which PREFIX?", 2);
  }
  const family = options["4"] === true ? "4" : options["6"] === true ? "6" : undefined;
  const query = { prefix, longer: flag("longerPrefixes"), best: flag("best"), in: from, out: to, family };
  const parts = askLong(options, { path: "/v1/bgp/routes", query });
  if (options["output"] === "json") {
    for await (const part of parts) await write(part);
    return;
  }
  if ((await printRoutes(routesIn(linesOf(parts)))) === 0) note("there is no such route");
}

/** The document has a route a line. */
async function* routesIn(lines: AsyncIterable<string>): AsyncGenerator<RouteView> {
  for await (const line of lines) {
    if (line.startsWith('{"prefix":')) yield JSON.parse(line.endsWith(",") ? line.slice(0, -1) : line) as RouteView;
  }
}

/** Returns how many there were. */
export async function printRoutes(routes: AsyncIterable<RouteView> | Iterable<RouteView>): Promise<number> {
  let waiting: RouteView[] = [];
  let printed = 0;
  const flush = async () => {
    const text = table(COLUMNS, printed === 0 && waiting.length < SORTED_ROUTES ? inOrder(waiting) : waiting);
    // Titles once: what follows is the same table.
    await write(printed === 0 ? text : text.slice(text.indexOf("\n") + 1));
    printed += waiting.length;
    waiting = [];
  };
  for await (const route of routes) {
    waiting.push(route);
    if (waiting.length >= SORTED_ROUTES) await flush();
  }
  if (waiting.length > 0) await flush();
  return printed;
}

function inOrder(routes: readonly RouteView[]): RouteView[] {
  const keyed = routes.map((route) => ({ route, prefix: prefixOf(route.prefix) }));
  keyed.sort((a, b) => inTableOrder(a.prefix, b.prefix) || Number(b.route.best) - Number(a.route.best));
  return keyed.map(({ route }) => route);
}

/** Waits for the reader: a long table must not pile up here. */
export async function write(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** `*>` best, `*` could be used, `S` stale, `x` cannot be used. */
function statusText({ best, stale, problem }: RouteView): string {
  if (problem !== undefined) return "x";
  return `${stale === true ? "S" : "*"}${best ? ">" : ""}`;
}

const COLUMNS: readonly Column<RouteView>[] = [
  { title: " ", cell: statusText },
  { title: "PREFIX", cell: ({ prefix, pathID }) => (pathID === undefined ? prefix : `${prefix} path ${pathID}`) },
  { title: "NEXT HOP", cell: ({ attributes }) => attributes.nextHop ?? "-" },
  { title: "PEER", cell: ({ peer }) => peer ?? "(own)" },
  { title: "MED", cell: ({ attributes }) => attributes.med ?? "-", right: true },
  { title: "LOCAL PREF", cell: ({ attributes }) => attributes.localPref ?? "-", right: true },
  { title: "PATH", cell: ({ attributes }) => `${attributes.asPath} ${ORIGIN[attributes.origin] ?? "?"}`.trim() },
  { title: "NOTE", cell: ({ problem, decidedBy, attributes }) => problem ?? noteText(decidedBy, attributes) },
];

/** As every looking glass writes them. */
const ORIGIN: Readonly<Record<string, string>> = { igp: "i", egp: "e", incomplete: "?" };

function noteText(decidedBy: string | undefined, { communities }: RouteView["attributes"]): string {
  const parts = [...(decidedBy === undefined ? [] : [decidedBy]), ...(communities ?? [])];
  return parts.length === 0 ? "-" : parts.join(" ");
}

/** By family, then address, the shorter first. */
function inTableOrder(a: Prefix, b: Prefix): number {
  return compareAddresses(a.address, b.address) || a.length - b.length;
}
