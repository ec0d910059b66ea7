import { describe, expect, it } from "@jest/globals";
import type { Kind } from "../config/kinds.ts";
import { checkDocument } from "../config/schema/document.ts";
import { kindNamed } from "./kind-argument.ts";
import { columnsOf } from "./resource-columns.ts";
import { table } from "./table.ts";

function shown(kind: Kind, spec: object, wide = false): string {
  const checked = checkDocument({ apiVersion: "overland.dev/v1", kind, metadata: { name: "a" }, spec });
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return table(columnsOf(kind, wide, 64512), [checked.resource]);
}

describe("the table of", () => {
  it("BGPFilters counts the rules of each list", () => {
    const accept = { action: "Accept" };
    expect(shown("BGPFilter", { importV4: [accept, accept], exportV6: [accept] })).toBe(
      "NAME   IMPORTV4   EXPORTV4   IMPORTV6   EXPORTV6\na      2          0          0          1\n",
    );
  });

  it("BGPPeers shows the filters when wide", () => {
    const spec = { peerIP: "10.0.0.1", asNumber: 65001, filters: ["edge", "more"], localASNumber: 65002 };
    expect(shown("BGPPeer", spec)).toBe("NAME   PEERIP     NODE       ASN\na      10.0.0.1   (global)   65001\n");
    expect(shown("BGPPeer", spec, true)).toBe(
      "NAME   PEERIP     NODE       ASN     LOCALASN   FILTERS\n" +
        "a      10.0.0.1   (global)   65001   65002      edge,more\n",
    );
  });
});

describe("a kind as somebody types it", () => {
  it.each(["bgpfilter", "BGPFilters", "bgpf"])("%s", (text) => expect(kindNamed(text)).toBe("BGPFilter"));
});
