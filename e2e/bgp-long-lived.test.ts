/**
 * Long-lived graceful restart (RFC 9494): the speaker in AS 65000 with three routers around it, of which x announces
 * two pairs of prefixes, y the second one by a longer path, and z knows nothing of the RFC. What is stale for long is a
 * last resort, marked as that, and told to nobody who would not understand.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Segment } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const ONLY_X = ["198.51.100.0/24", "2001:db8:100::/48"];
const ALSO_Y = ["198.51.101.0/24", "2001:db8:101::/48"];
const LLGR_STALE = "(65535,6)";

const segment = new Segment();
let hub: Speaker;
let x: Bird;
let y: Bird;
let z: Bird;

const routerFile = (n: number, terms: string, prefixes: readonly string[] = [], prepended = "") => {
  const routes = (colon: boolean) =>
    prefixes.flatMap((one) => (one.includes(":") === colon ? [`route ${one} blackhole;`] : [])).join(" ");
  const exports = `export filter { if source != RTS_STATIC then reject; ${prepended} accept; }`;
  return `protocol static { ipv4; ${routes(false)} }
protocol static { ipv6; ${routes(true)} }
protocol bgp hub {
  local 10.88.0.${n} as 6500${n}; neighbor 10.88.0.1 as 65000; passive;
  graceful restart on; graceful restart time 1; ${terms}
  ipv4 { import all; ${exports}; };
  ipv6 { import all; ${exports}; next hop address fd88::${n}; };
}
`;
};
const fileOfX = (staleTime: number) =>
  routerFile(2, `long lived graceful restart on; long lived stale time ${staleTime};`, [...ONLY_X, ...ALSO_Y]);

beforeAll(async () => {
  await segment.make();
  hub = new Speaker(segment, await segment.station("hub0", 1));
  [x, y, z] = [
    new Bird(segment, await segment.station("x", 2)),
    new Bird(segment, await segment.station("y", 3)),
    new Bird(segment, await segment.station("z", 4)),
  ];
  await x.start(fileOfX(60), "-R");
  await y.start(routerFile(3, "long lived graceful restart on;", ALSO_Y, "bgp_path.prepend(65003);"));
  await z.start(routerFile(4, "long lived graceful restart off;"));
  const peers = ["x", "y", "z"].map((name, i) => ({
    name,
    ...{ address: `10.88.0.${i + 2}`, asNumber: 65002 + i, connectRetryTime: 1 },
    ...{ maxRestartTime: 1, longLivedRestartTime: 60 },
  }));
  await hub.start({ asNumber: 65000, peers });
  await hub.established(20);
  await eventually("everything is as it should be at first", 20, freshEverywhere);
});

afterAll(() => segment.remove());

/** The AS path of the one route a router has to the prefix over this session. */
const pathAt = async (router: Bird, prefix: string): Promise<string | undefined> =>
  /BGP\.as_path: ([\d ]+)/.exec(await router.routes(prefix, 'where proto = "hub"'))?.[1];

const communitiesAt = async (router: Bird, prefix: string): Promise<string> =>
  /BGP\.community: (.+)/.exec(await router.routes(prefix, 'where proto = "hub"'))?.[1] ?? "";

async function freshEverywhere(): Promise<true> {
  // BIRD that is back sleeps for seconds before it tells its routes; a question wakes it.
  await x.ask("show status");
  for (const prefix of ONLY_X) {
    for (const router of [y, z]) {
      expect(await pathAt(router, prefix)).toBe("65000 65002");
      expect(await communitiesAt(router, prefix)).toBe("");
    }
  }
  for (const prefix of ALSO_Y) expect(await pathAt(z, prefix)).toBe("65000 65002");
  return true;
}

async function lastResortOfX(): Promise<true> {
  expect((await hub.peer("x")).restart.stale.map(({ phase }) => phase)).toEqual(["long-lived", "long-lived"]);
  for (const prefix of ONLY_X) {
    expect(await pathAt(y, prefix)).toBe("65000 65002");
    expect(await communitiesAt(y, prefix)).toContain(LLGR_STALE);
    expect(await pathAt(z, prefix)).toBeUndefined();
  }
  for (const prefix of ALSO_Y) {
    expect(await pathAt(z, prefix)).toBe("65000 65003 65003");
    const [best, ...others] = (await hub.routes({ prefix })).toSorted((a, b) => Number(b.best) - Number(a.best));
    expect(best).toMatchObject({ peer: "y", best: true, decidedBy: "last-resort" });
    expect(others).toMatchObject([{ peer: "x", best: false, stale: true }]);
  }
  return true;
}

test("a router away for longer than its restart time: its routes are a last resort, and marked so", async () => {
  await x.end();
  await eventually("they are", 15, lastResortOfX);
});

test("it comes back: its routes are as good as before", async () => {
  await x.start(fileOfX(2), "-R");
  await eventually("they are", 20, freshEverywhere);
});

test("it is away for longer than the long-lived stale time: they are gone", async () => {
  await x.end();
  await eventually("they are a last resort", 15, lastResortOfX);
  await eventually("they are gone", 15, async () => {
    for (const prefix of ONLY_X) expect(await pathAt(y, prefix)).toBeUndefined();
    for (const prefix of [...ONLY_X, ...ALSO_Y]) expect(await hub.routes({ prefix, in: "x" })).toEqual([]);
    for (const prefix of ALSO_Y) expect(await pathAt(z, prefix)).toBe("65000 65003 65003");
    return true;
  });
  await x.start(fileOfX(60), "-R");
  await eventually("they are back", 20, freshEverywhere);
});

test("the speaker itself is away: its neighbours keep its routes as a last resort, until it is back", async () => {
  await hub.end();
  await eventually("y has them marked, z no more", 15, async () => {
    for (const prefix of ONLY_X) {
      expect(await communitiesAt(y, prefix)).toContain(LLGR_STALE);
      expect(await pathAt(z, prefix)).toBeUndefined();
    }
    return true;
  });
  await hub.start();
  await eventually("they are fresh again", 20, freshEverywhere);
});
