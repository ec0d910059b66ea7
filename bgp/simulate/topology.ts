/**
 * Networks as operators build them, from a seed: who speaks to whom, and on what terms.
 *
 * Host n (from 1) sits at 10.0.0.n and fd00::n on one flat network.
 */

export interface Topology {
  readonly kind: (typeof KINDS)[number];
  readonly count: number;
  /** Sessions: pairs of hosts, the smaller number first. */
  readonly edges: readonly (readonly [number, number])[];
  asOf(host: number): number;
  /** Whether one is the other's route reflector (RFC 4456), or its route server (RFC 7947). */
  reflectsTo(from: number, to: number): boolean;
  serves(from: number, to: number): boolean;
  /** For CLUSTER_LIST; a host's own number unless it shares a cluster. */
  clusterOf(host: number): number;
}

export const KINDS = ["fabric", "mesh", "reflectors", "server", "ring", "providers"] as const;

/** `count`: hosts, at least 3. */
export function topology(kind: Topology["kind"], count: number, random: () => number): Topology {
  const hosts = Array.from({ length: count }, (_, n) => n + 1);
  const pairs = hosts.flatMap((a) => hosts.slice(a).map((b) => [a, b] as const));
  const plain: Topology = {
    kind,
    count,
    edges: pairs,
    asOf: () => 64512,
    reflectsTo: () => false,
    serves: () => false,
    clusterOf: (host) => host,
  };
  switch (kind) {
    case "fabric": {
      // Leaves and spines, every one an AS of its own; each leaf has a session with each spine.
      const spines = 1 + below(random, Math.min(4, count - 1));
      const edges = pairs.filter(([a, b]) => a <= spines && b > spines);
      return { ...plain, edges, asOf: (host) => 4_200_000_000 + host };
    }
    case "mesh":
      return plain;
    case "reflectors":
      return reflectors(plain, random);
    case "server":
      return {
        ...plain,
        edges: pairs.filter(([a]) => a === 1),
        asOf: (host) => 65000 + host,
        serves: (from) => from === 1,
      };
    case "ring": {
      // An AS each, and some short cuts.
      const isNext = (a: number, b: number) => b === a + 1 || (a === 1 && b === count);
      const edges = pairs.filter(([a, b]) => isNext(a, b) || random() < 0.1);
      return { ...plain, edges, asOf: (host) => 65000 + host };
    }
    case "providers": {
      // ASes of a few hosts in a full mesh, some of which have external sessions too: few, as nothing here holds back
      // the exploring of ever longer ways that BGP does among many.
      const ases = 2 + below(random, Math.max(1, count / 3));
      const asOf = (host: number) => 65000 + (host % ases);
      const outside = 2 / count;
      const edges = pairs.filter(([a, b]) => asOf(a) === asOf(b) || b === a + 1 || random() < outside);
      return { ...plain, edges, asOf };
    }
  }
}

/** The first hosts reflect; then come clients of all of them; then hosts in a full mesh with each other and those. */
function reflectors(plain: Topology, random: () => number): Topology {
  const { count } = plain;
  const reflecting = 1 + below(random, Math.min(3, count - 1));
  const clients = 1 + below(random, count - reflecting);
  const isClient = (host: number) => host > reflecting && host <= reflecting + clients;
  const shared = random() < 0.3;
  return {
    ...plain,
    edges: plain.edges.filter(([a, b]) => a <= reflecting || (!isClient(a) && !isClient(b))),
    reflectsTo: (from, to) => from <= reflecting && isClient(to),
    clusterOf: (host) => (shared && host <= reflecting ? 1 : host),
  };
}

function below(random: () => number, most: number): number {
  return Math.floor(random() * most);
}

export function neighborsOf({ edges }: Topology, host: number): number[] {
  return edges.flatMap(([a, b]) => (a === host ? [b] : b === host ? [a] : []));
}
