/** nftables by its own program and JSON: what goes into our table, and the way there. */
import { spawn } from "node:child_process";
import { type Family, formatAddress } from "../../ipam/net/address.ts";
import { containsPrefix, familyOfPrefix, type Prefix, samePrefix } from "../../ipam/net/prefix.ts";

/** The one table of ours. */
export const TABLE = { family: "inet", name: "overland" } as const;
/** Of a chain, set or rule in it. */
export const IN_TABLE = { family: TABLE.family, table: TABLE.name } as const;
export const FAMILIES: readonly Family[] = [4, 6];

export function protocolOf(family: Family): "ip" | "ip6" {
  return family === 4 ? "ip" : "ip6";
}

/** The command that makes the set `name-ipv4` or `-ipv6`: those of the prefixes that are of the family. */
export function prefixSet(family: Family, name: string, prefixes: readonly Prefix[]): object {
  const elements = outermost(prefixes.filter((prefix) => familyOfPrefix(prefix) === family));
  return {
    add: {
      set: {
        ...IN_TABLE,
        name: `${name}-ipv${family}`,
        type: family === 4 ? "ipv4_addr" : "ipv6_addr",
        flags: ["interval"],
        elem: elements.map(({ address, length }) => ({ prefix: { addr: formatAddress(address), len: length } })),
      },
    },
  };
}

/** Without those that lie within another, and each once: an interval set holds no overlaps. */
function outermost(pools: readonly Prefix[]): Prefix[] {
  return pools.filter((pool, i) =>
    pools.every((other, j) => i === j || !containsPrefix(other, pool) || (samePrefix(other, pool) && i < j)),
  );
}

/** One transaction. Rejects with nft's own words when it refuses. */
export function nft(document: object, netns: string | undefined): Promise<void> {
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
      else reject(new Error(`nft refused the rules (status ${status}): ${words.trim()}`));
    });
  });
}
