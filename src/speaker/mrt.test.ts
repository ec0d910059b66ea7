import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { PathAttributes } from "../../bgp/wire/path-attributes.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { type MrtPath, mrtPeerIndex, mrtPrefix } from "./mrt.ts";

const NOW = 1_700_000_000;
const PEERS = [
  { routerId: addressOf("192.0.2.254"), address: addressOf("0.0.0.0"), asNumber: 64512 },
  { routerId: addressOf("192.0.2.1"), address: addressOf("192.0.2.1"), asNumber: 65001 },
  { routerId: addressOf("192.0.2.2"), address: addressOf("2001:db8::2"), asNumber: 4_200_000_000 },
];
const V4: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65001, 4_200_000_001] }],
  nextHop: addressOf("192.0.2.1"),
  med: 5,
  communities: [0xfde90001],
};
const V6: PathAttributes = {
  origin: 2,
  asPath: [{ type: 2, asNumbers: [4_200_000_000] }],
  nextHop: addressOf("2001:db8::2"),
  linkLocalNextHop: addressOf("fe80::2"),
  localPref: 200,
};

/** What bgpdump makes of the routes, a line each. */
function bgpdump(routes: readonly (readonly [string, readonly Partial<MrtPath>[]])[], form = "-m"): string[] {
  const folder = mkdtempSync(join(tmpdir(), "overland-mrt-"));
  try {
    const records = routes.flatMap(([prefix, paths], sequence) =>
      mrtPrefix(
        NOW,
        sequence,
        prefixOf(prefix),
        paths.map((path) => ({ peer: 1, since: NOW - 60, pathId: 0, attributes: V4, ...path })),
      ),
    );
    const file = join(folder, "dump.mrt");
    writeFileSync(file, Buffer.concat([mrtPeerIndex(NOW, addressOf("192.0.2.254"), "overland", PEERS), ...records]));
    const text = execFileSync("bgpdump", [form, file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("an MRT dump, as bgpdump reads it", () => {
  it("has IPv4 and IPv6 routes with their peers, times and attributes", () => {
    const lines = bgpdump([
      ["203.0.113.0/24", [{}]],
      ["10.0.0.0/8", [{}, { peer: 0, attributes: { origin: 0, asPath: [], nextHop: addressOf("0.0.0.0") } }]],
      ["2001:db8:1::/48", [{ peer: 2, attributes: V6 }]],
    ]);
    expect(lines).toEqual([
      `TABLE_DUMP2|${NOW}|B|192.0.2.1|65001|203.0.113.0/24|65001 4200000001|IGP|192.0.2.1|0|5|65001:1|NAG||`,
      `TABLE_DUMP2|${NOW}|B|192.0.2.1|65001|10.0.0.0/8|65001 4200000001|IGP|192.0.2.1|0|5|65001:1|NAG||`,
      `TABLE_DUMP2|${NOW}|B|0.0.0.0|64512|10.0.0.0/8||IGP|0.0.0.0|0|0||NAG||`,
      `TABLE_DUMP2|${NOW}|B|2001:db8::2|4200000000|2001:db8:1::/48|4200000000|INCOMPLETE|2001:db8::2|200|0||NAG||`,
    ]);
  });

  it("says since when each route is there", () => {
    expect(bgpdump([["203.0.113.0/24", [{}]]], "-H")).toContain("ORIGINATED: 11/14/23 22:12:20");
  });

  it("has several paths of one peer, with their identifiers (RFC 8050)", () => {
    const other = { ...V4, med: 6 };
    const lines = bgpdump([["203.0.113.0/24", [{ pathId: 1 }, { pathId: 2, attributes: other }, { peer: 2 }]]]);
    expect(lines).toEqual([
      `TABLE_DUMP2|${NOW}|B|2001:db8::2|4200000000|203.0.113.0/24|65001 4200000001|IGP|192.0.2.1|0|5|65001:1|NAG||`,
      `TABLE_DUMP2_AP|${NOW}|B|192.0.2.1|65001|203.0.113.0/24|1|65001 4200000001|IGP|192.0.2.1|0|5|65001:1|NAG||`,
      `TABLE_DUMP2_AP|${NOW}|B|192.0.2.1|65001|203.0.113.0/24|2|65001 4200000001|IGP|192.0.2.1|0|6|65001:1|NAG||`,
    ]);
  });
});
