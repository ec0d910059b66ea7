/**
 * natOutgoing: what pods of some pools send to addresses outside every pool leaves with the node's own address.
 *
 * One table of ours, `inet overland`, replaced as a whole by one nft transaction; nobody else's rules are read or
 * touched.
 */
import { spawn } from "node:child_process";
import { type Family, formatAddress } from "../../ipam/net/address.ts";
import { containsPrefix, familyOfPrefix, type Prefix, samePrefix } from "../../ipam/net/prefix.ts";

export interface Masquerade {
  /** Pools whose pods are hidden behind the node. Empty: no table at all. */
  readonly natPools: readonly Prefix[];
  /** Every pool, disabled ones too: what goes there keeps its source. */
  readonly allPools: readonly Prefix[];
}

const FAMILY = "inet";
const TABLE = "overland";

/** Makes the rules match; idempotent. Rejects with nft's own words when it refuses. */
export async function applyMasquerade(wanted: Masquerade, options: { netns?: string } = {}): Promise<void> {
  await nft({ nftables: masqueradeCommands(wanted) }, options.netns);
}

/** The commands of the transaction. Adding before deleting makes the delete succeed where there was no table. */
export function masqueradeCommands({ natPools, allPools }: Masquerade): object[] {
  const table = { family: FAMILY, name: TABLE };
  const replace: object[] = [{ add: { table } }, { delete: { table } }];
  if (natPools.length === 0) return replace;
  const chain = { family: FAMILY, table: TABLE, name: "postrouting" };
  return [
    ...replace,
    { add: { table } },
    { add: { chain: { ...chain, type: "nat", hook: "postrouting", prio: 100, policy: "accept" } } },
    ...([4, 6] as const).flatMap((family) => familyCommands(family, natPools, allPools)),
  ];
}

function familyCommands(family: Family, natPools: readonly Prefix[], allPools: readonly Prefix[]): object[] {
  const ours = (pool: Prefix) => familyOfPrefix(pool) === family;
  if (!natPools.some(ours)) return [];
  const header = family === 4 ? "ip" : "ip6";
  const set = (name: string, pools: readonly Prefix[]) => ({
    add: {
      set: {
        family: FAMILY,
        table: TABLE,
        name: `${name}-ipv${family}`,
        type: family === 4 ? "ipv4_addr" : "ipv6_addr",
        flags: ["interval"],
        elem: outermost(pools.filter(ours)).map((pool) => ({
          prefix: { addr: formatAddress(pool.address), len: pool.length },
        })),
      },
    },
  });
  const match = (op: string, field: string, name: string) => ({
    match: { op, left: { payload: { protocol: header, field } }, right: `@${name}-ipv${family}` },
  });
  const expr = [match("==", "saddr", "nat-pools"), match("!=", "daddr", "all-pools"), { masquerade: null }];
  return [
    set("nat-pools", natPools),
    // A pool that is hidden is a pool: also where the caller did not list it twice.
    set("all-pools", [...allPools, ...natPools]),
    { add: { rule: { family: FAMILY, table: TABLE, chain: "postrouting", expr } } },
  ];
}

/** Without those that lie within another, and each once: an interval set holds no overlaps. */
function outermost(pools: readonly Prefix[]): Prefix[] {
  return pools.filter((pool, i) =>
    pools.every((other, j) => i === j || !containsPrefix(other, pool) || (samePrefix(other, pool) && i < j)),
  );
}

function nft(document: object, netns: string | undefined): Promise<void> {
  // As an argument: "-f -" opens /dev/stdin, which fails for the socket that Node.js gives a child as its standard
  // input.
  const args = ["-j", JSON.stringify(document)];
  const [program, argv]: [string, string[]] =
    netns === undefined ? ["nft", args] : ["nsenter", [`--net=${netns}`, "nft", ...args]];
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words += text;
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ENOENT" ? new Error("nft is not installed: install the package nftables") : error);
    });
    child.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(`nft refused the masquerade rules (status ${status}): ${words.trim()}`));
    });
  });
}
