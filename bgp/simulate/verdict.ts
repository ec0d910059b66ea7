/**
 * Whether a network that was left alone is as it must be: sessions up where they can be, every host's routes those that
 * the topology says, every RIB what its neighbours' rules make of theirs, packets without loops, nothing stale.
 */
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { LOCAL_SOURCE } from "../rib/sources.ts";
import type { Speaker } from "../speaker.ts";
import { announcedTo, receivedFrom } from "./exchange.ts";
import { type Intent, nameOf } from "./intent.ts";
import type { Network, SimulatedHost } from "./network.ts";
import { isSimple, reached, type Situation } from "./reachability.ts";

const FAMILIES = [4, 6] as const;

/** Throws when something is not as it must be; `canTalk`: the link between two hosts is whole. */
export function checkOutcome(network: Network, intent: Intent, canTalk: (a: number, b: number) => boolean): void {
  const hosts = new Map([...intent.hosts].map((n) => [n, network.hosts.get(nameOf(n)) as SimulatedHost]));
  const alive = [...hosts].filter(([, { speaker }]) => speaker !== undefined).map(([n]) => n);
  const situation: Situation = {
    topology: intent.present,
    isUp: (a, b) => alive.includes(a) && alive.includes(b) && canTalk(a, b),
    lets: (from, to, prefix) => intent.lets(from, to, prefix),
  };
  const owners = new Map<string, Set<number>>();
  for (const n of alive) {
    for (const prefix of intent.networks(n)) owners.set(prefix, new Set([...(owners.get(prefix) ?? []), n]));
  }
  for (const n of alive) {
    checkSessions(n, (hosts.get(n) as SimulatedHost).speaker as Speaker, situation);
    checkDecisions(n, hosts.get(n) as SimulatedHost, network.now);
  }
  for (const n of alive) checkExchange(n, hosts);
  if (isSimple(situation.topology)) checkReached(alive, hosts, situation, owners);
  for (const [prefix, from] of owners) checkWays(formatPrefix(prefixOf(prefix)), from, hosts);
}

/** Nothing may be left of anything. */
export function checkEmpty({ name, fib, speaker }: SimulatedHost): void {
  if (speaker === undefined) return;
  const { attributes, families, groups } = speaker.rib;
  const tables = FAMILIES.flatMap((family) => [families[family].prefixes.size, families[family].paths.size]);
  const left = [attributes.size, groups.size, speaker.rib.nextHops.size, fib.size, ...tables];
  same(`left over at ${name}`, left, [0, 0, 0, 0, 0, 0, 0, 0]);
}

function checkSessions(n: number, speaker: Speaker, { isUp }: Situation): void {
  for (const { peer, staleness } of speaker.neighbors) {
    const up = isUp(n, Number(peer.config.name.slice(1)));
    const problem = `${n}-${peer.config.name}: ${peer.state}, ${peer.lastError}`;
    if ((peer.state === "Established") !== up) throw new Error(`session ${problem}`);
    if (staleness.families.size > 0) throw new Error(`stale routes, ${problem}`);
  }
}

/** Every prefix is decided as it would be now, and the forwarding table has the outcome. */
function checkDecisions(n: number, { fib, speaker }: SimulatedHost, now: number): void {
  if (speaker === undefined) return;
  if (speaker.nextDue(now) <= now) throw new Error(`${n} still has work to do`);
  const { decision, attributes, nextHops } = speaker.rib;
  const wanted: [string, string][] = [];
  for (const family of FAMILIES) {
    const { paths } = speaker.rib.families[family];
    for (const { id, prefix } of speaker.rib.families[family].known()) {
      const best = decision.decide(paths, id);
      same(`best path of ${formatPrefix(prefix)} at ${n}`, speaker.rib.families[family].best(id), best);
      for (let path = paths.first(id); path >= 0; path = paths.next(path)) {
        if (paths.isStale(path)) throw new Error(`${n} has a stale path`);
      }
      if (best < 0 || paths.source(best) === LOCAL_SOURCE) continue;
      const equal = decision.equal.subarray(0, decision.equalCount);
      const hops = new Set(Array.from(equal, (path) => attributes.rows.nextHop(paths.inForce(path))));
      const gateways = [...hops].flatMap((hop) => nextHops.resolution(hop)?.gateways ?? []);
      const text = gateways.map(({ gateway }) => gateway && formatAddress(gateway)).sort();
      const held = (fib.get(formatPrefix(prefix)) ?? "").split(",").sort();
      const isUsed = held.length <= decision.settings.multipath && held.every((gateway) => text.includes(gateway));
      const most = Math.min(text.length, decision.settings.multipath);
      if (!isUsed || held.length < most) same(`gateways of ${formatPrefix(prefix)} at ${n}`, held, text);
      wanted.push([formatPrefix(prefix), ""]);
    }
  }
  same(`forwarding table of ${n}`, [...fib.keys()].sort(), wanted.map(([prefix]) => prefix).sort());
}

/** What each neighbour has from this host is what this host's rules make of its routes now. */
function checkExchange(n: number, hosts: ReadonlyMap<number, SimulatedHost>): void {
  const speaker = hosts.get(n)?.speaker as Speaker;
  for (const neighbor of speaker.neighbors) {
    const other = hosts.get(Number(neighbor.peer.config.name.slice(1)))?.speaker;
    const back = other?.neighbor(nameOf(n));
    if (neighbor.peer.state !== "Established" || other === undefined || back === undefined) continue;
    for (const family of FAMILIES) {
      const announced = announcedTo(speaker, neighbor, family);
      same(`${neighbor.peer.config.name} has from ${n}`, receivedFrom(other, back, family), announced);
    }
  }
}

function checkReached(
  alive: readonly number[],
  hosts: ReadonlyMap<number, SimulatedHost>,
  situation: Situation,
  owners: ReadonlyMap<string, ReadonlySet<number>>,
): void {
  const wanted = new Map<number, string[]>(alive.map((n) => [n, []]));
  for (const [prefix, from] of owners) {
    for (const n of reached(situation, prefix, from)) wanted.get(n)?.push(formatPrefix(prefixOf(prefix)));
  }
  for (const [n, prefixes] of wanted) {
    same(`routes of ${n}`, [...(hosts.get(n) as SimulatedHost).fib.keys()].sort(), prefixes.sort());
  }
}

/** Every way that packets for a prefix may take ends at an owner. */
function checkWays(prefix: string, owners: ReadonlySet<number>, hosts: ReadonlyMap<number, SimulatedHost>): void {
  const good = new Set(owners);
  const walk = (at: number, before: readonly number[]) => {
    if (good.has(at)) return;
    const way = [...before, at];
    if (before.includes(at)) throw new Error(`loop: packets for ${prefix} go ${way.join(" ")}`);
    const gateways = hosts.get(at)?.fib.get(prefix);
    if (gateways === undefined) throw new Error(`packets for ${prefix} end at ${way.join(" ")}`);
    for (const gateway of gateways.split(",")) walk(Number(/[.:](\d+)$/.exec(gateway)?.[1]), way);
    good.add(at);
  };
  for (const [n, { fib, speaker }] of hosts) if (speaker !== undefined && fib.has(prefix)) walk(n, []);
}

function same(what: string, is: unknown, mustBe: unknown): void {
  const [a, b] = [JSON.stringify(is), JSON.stringify(mustBe)];
  if (a === b) return;
  if (!Array.isArray(is) || !Array.isArray(mustBe)) throw new Error(`${what}: ${a}, must be ${b}`);
  const [more, less] = [is.filter((one) => !mustBe.includes(one)), mustBe.filter((one) => !is.includes(one))];
  throw new Error(`${what}: too much ${JSON.stringify(more)}, missing ${JSON.stringify(less)}`);
}
