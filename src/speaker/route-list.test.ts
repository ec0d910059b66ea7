import { beforeAll, describe, expect, it } from "@jest/globals";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { routePages } from "../api/pages.ts";
import { manyPrefixes, peerAt, Wire } from "./record-testing.ts";
import type { RecordedSpeaker } from "./recorded-speaker.ts";
import { routeList } from "./route-list.ts";

const MANY = 20_000;
/** Announced by r2 all the time, announced by it in the middle of the list, withdrawn there. */
const [KEPT, NEW, GONE] = [manyPrefixes(MANY - 10), manyPrefixes(10, 100_000), manyPrefixes(10, MANY - 10)];

interface Listed {
  readonly prefix: string;
  readonly best: boolean;
  readonly peer: string;
}

let wire: Wire;
let speaker: RecordedSpeaker;

beforeAll(() => {
  wire = new Wire(3);
  speaker = wire.add("10.0.0.1");
  wire.add("10.0.0.2");
  wire.tell("10.0.0.2", { kind: "networks", prefixes: [...KEPT, ...GONE] });
  wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2)] });
  wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1, { passive: true })] });
  wire.run(3000);
});

describe("the list of all routes", () => {
  it("comes in batches that are made in no time", () => {
    const batches = [...routeList(speaker.rib, () => false)];
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(256);
    expect(batches.flat()).toHaveLength(MANY);
    expect(batches.flat()[0]).toMatchObject({ peer: "r2", best: true, asPath: ["65002"], origin: "igp" });
  });

  it("is one JSON document in pages, with every route that stays while others come and go", async () => {
    const pages: string[] = [];
    for await (const page of routePages(routeList(speaker.rib, () => false))) {
      if (pages.push(page) !== 2) continue;
      wire.tell("10.0.0.2", { kind: "networks", prefixes: [...KEPT, ...NEW] });
      wire.run(1000);
    }
    expect(pages.length).toBeGreaterThan(10);
    expect(Math.max(...pages.map(({ length }) => length))).toBeLessThan(256 * 1024);
    const { routes } = JSON.parse(pages.join("")) as { routes: Listed[] };
    const listed = new Map(routes.map(({ prefix }) => [prefix, true]));
    expect(KEPT.filter((prefix) => !listed.has(formatPrefix(prefix)))).toEqual([]);
    expect(routes.length).toBeLessThanOrEqual(MANY + NEW.length);
    const now = [...routeList(speaker.rib, () => false)].flat() as Listed[];
    expect(now.map(({ prefix }) => prefix)).toEqual(expect.arrayContaining(NEW.map((prefix) => formatPrefix(prefix))));
  });
});
