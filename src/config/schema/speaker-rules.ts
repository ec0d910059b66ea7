/** Rules between the fields of a speaker's file, on the file as written. */
import { parseAddress } from "../../../ipam/net/address.ts";
import { containsPrefix, hostPrefix, type Prefix, parsePrefix } from "../../../ipam/net/prefix.ts";
import { nearestName } from "../suggest.ts";
import { bgpFilterRules } from "./bgpfilter.ts";
import { communityFault } from "./fields.ts";
import { type FieldPath, type Problem, shown } from "./problem.ts";
import { speakerPeerRules } from "./speaker-peer.ts";

type Written = Readonly<Record<string, unknown>>;

export function speakerRules(file: Written): Problem[] {
  const [peers, filters] = [mapsIn(file["peers"]), mapsIn(file["filters"])];
  return [
    ...peers.flatMap(({ item, i }) => speakerPeerRules(item, ["peers", i], file["asNumber"])),
    ...nameRules(peers, "peers", ({ name, address }) => name ?? address),
    ...passwordRules(peers),
    ...filters.flatMap(({ item, i }) => bgpFilterRules(item, item["name"], ["filters", i])),
    ...nameRules(filters, "filters", ({ name }) => name),
    ...peers.flatMap(({ item, i }) => filterRules(item, i, filters)),
    ...communityRules(file),
  ];
}

interface Item {
  readonly item: Written;
  readonly i: number;
}

/** The maps in a list, with their places; what is no map has been complained of. */
function mapsIn(list: unknown): Item[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, i) =>
    typeof item === "object" && item !== null && !Array.isArray(item) ? [{ item: item as Written, i }] : [],
  );
}

function nameRules(items: readonly Item[], list: string, nameOf: (item: Written) => unknown): Problem[] {
  const names = new Map<string, number>();
  return items.flatMap(({ item, i }) => {
    const name = nameOf(item);
    if (typeof name !== "string") return [];
    const earlier = names.get(name);
    if (earlier === undefined) names.set(name, i);
    if (earlier === undefined) return [];
    const field = item["name"] === undefined ? "address" : "name";
    const cure = field === "address" ? "give one of them a name" : "names are unique";
    return [{ path: [list, i, field], message: `${shown(name)} is what ${list}[${earlier}] is called; ${cure}` }];
  });
}

/** The kernel looks for a password by address: it cannot be one for one port and another for the next. */
function passwordRules(peers: readonly Item[]): Problem[] {
  const guarded = peers.flatMap(({ item: { address, password }, i }) => {
    const range = password === undefined ? undefined : readRange(address);
    return range === undefined ? [] : [{ range, password, i }];
  });
  return peers.flatMap(({ item: { address, password }, i }) => {
    const own = readRange(address);
    if (own === undefined) return [];
    const around = guarded.filter(({ range, i: at }) => at !== i && containsPrefix(range, own));
    const same = around.find(({ range }) => range.length === own.length);
    if (same !== undefined && same.password !== password) {
      const message = `differs from that of peers[${same.i}], which has the same address; TCP takes one for an address`;
      return [{ path: ["peers", i, "password"], message }];
    }
    const [wider] = around;
    if (password !== undefined || wider === undefined) return [];
    const message = `is inside the range of peers[${wider.i}], whose password the kernel asks for; give it one too`;
    return [{ path: ["peers", i, "address"], message }];
  });
}

function readRange(text: unknown): Prefix | undefined {
  if (typeof text !== "string") return undefined;
  const address = parseAddress(text.replace(/%.*/, ""));
  return address === undefined ? parsePrefix(text) : hostPrefix(address);
}

function filterRules(peer: Written, i: number, filters: readonly Item[]): Problem[] {
  const named = Array.isArray(peer["filters"]) ? (peer["filters"] as unknown[]) : [];
  const known = filters.flatMap(({ item: { name } }) => (typeof name === "string" ? [name] : []));
  return named.flatMap((name, k) => {
    if (typeof name !== "string") return [];
    const path: FieldPath = ["peers", i, "filters", k];
    if (named.indexOf(name) < k)
      return [{ path, message: `${shown(name)} stands there already; remove one of the two` }];
    if (known.includes(name)) return [];
    const near = nearestName(name, known);
    const cure = near === undefined ? "write one under filters" : `did you mean ${near}?`;
    return [{ path, message: `there is no filter ${shown(name)} in this file; ${cure}` }];
  });
}

function communityRules(file: Written): Problem[] {
  const named = mapsIn(file["communities"]);
  const names = named.map(({ item: { name } }) => name);
  return [
    ...nameRules(named, "communities", ({ name }) => name),
    ...mapsIn(file["prefixAdvertisements"]).flatMap(({ item: { communities }, i }) =>
      (Array.isArray(communities) ? (communities as unknown[]) : []).flatMap((value, k) => {
        if (typeof value !== "string" || names.includes(value)) return [];
        const fault = communityFault(value);
        const path: FieldPath = ["prefixAdvertisements", i, "communities", k];
        return fault === undefined ? [] : [{ path, message: `${fault}, and no name in communities` }];
      }),
    ),
  ];
}
