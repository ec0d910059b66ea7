/**
 * What is agreed on within a session, with BIRD on either side: limits of prefixes, route refresh, messages longer than
 * 4096 octets, and graceful shutdown. `source` announces, `sink` hears, `short` hears but takes no long messages,
 * `other` announces what `source` does by a longer path.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { always, eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Segment } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const prefixes = (i: number) => [`198.51.${i}.0/24`, `2001:db8:${i}::/48`] as const;
const LONG = prefixes(200);
const SHUT = prefixes(201);
const GSHUT = "(65535,0)";

const segment = new Segment();
let hub: Speaker;
let source: Bird;
let sink: Bird;
let short: Bird;
let other: Bird;

type Terms = Readonly<Record<string, unknown>>;

/** The terms of the session with the source, and of that with the sink. */
const hubFile = (ofSource: Terms = {}, ofSink: Terms = {}) => ({
  asNumber: 65000,
  peers: [
    { name: "source", address: "10.88.0.2", asNumber: 65002, connectRetryTime: 1, ...ofSource },
    { name: "sink", address: "10.88.0.3", asNumber: 65003, connectRetryTime: 1, ...ofSink },
    { name: "short", address: "10.88.0.4", asNumber: 65004, connectRetryTime: 1 },
    { name: "other", address: "10.88.0.5", asNumber: 65005, connectRetryTime: 1 },
  ],
});

const session = (n: number, terms: string, policy: string) => `protocol bgp hub {
  local 10.88.0.${n} as 6500${n}; neighbor 10.88.0.1 as 65000; passive; error wait time 1, 2; ${terms}
  ipv4 { ${policy} };
  ipv6 { ${policy} next hop address fd88::${n}; };
}
`;

interface Announced {
  /** So many ordinary prefixes of each family, */
  readonly ordinary: number;
  /** one with so many communities, */
  readonly communities?: number;
  /** and one with these attributes. */
  readonly shut?: string;
}

function sourceFile({ ordinary, communities = 0, shut }: Announced): string {
  const added = Array.from({ length: communities }, (_, i) => `bgp_community.add((65002,${i}));`).join(" ");
  const routes = (family: 0 | 1) =>
    [
      ...Array.from({ length: ordinary }, (_, i) => `route ${prefixes(i)[family]} blackhole;`),
      ...(communities > 0 ? [`route ${LONG[family]} blackhole { ${added} };`] : []),
      ...(shut === undefined ? [] : [`route ${SHUT[family]} blackhole { ${shut} };`]),
    ].join("\n");
  return `protocol static { ipv4; ${routes(0)} }
protocol static { ipv6; ${routes(1)} }
${session(2, "enable extended messages on;", "import all; export where source = RTS_STATIC;")}`;
}

/** What the sink adds to each route it hears. */
const sinkFile = (community: string) => {
  const policy = `import filter { bgp_community.add(${community}); accept; }; export none;`;
  return session(3, "enable extended messages on;", policy);
};

beforeAll(async () => {
  await segment.make();
  hub = new Speaker(segment, await segment.station("hub0", 1));
  [source, sink, short, other] = [
    new Bird(segment, await segment.station("source", 2)),
    new Bird(segment, await segment.station("sink", 3)),
    new Bird(segment, await segment.station("short", 4)),
    new Bird(segment, await segment.station("other", 5)),
  ];
  const longer = "export filter { if source != RTS_STATIC then reject; bgp_path.prepend(65005); accept; };";
  await Promise.all([
    source.start(sourceFile({ ordinary: 8 })),
    sink.start(sinkFile("(65003,1)")),
    short.start(session(4, "enable extended messages off;", "import all; export none;")),
    other.start(`protocol static { ipv4; route ${SHUT[0]} blackhole; }
protocol static { ipv6; route ${SHUT[1]} blackhole; }
${session(5, "", `import all; ${longer}`)}`),
  ]);
  await hub.start(hubFile({ maxPrefixes: { limit: 5, action: "warn" } }));
  await hub.established(20);
});

afterAll(() => segment.remove());

/** How many of the source's ordinary prefixes the sink has, of each family. */
async function sinkHas(count: number, seconds = 15): Promise<void> {
  await eventually(`the sink has ${count} prefixes of each family`, seconds, async () => {
    const where = "where bgp_path ~ [= 65000 65002 =]";
    expect([await sink.count("master4", where), await sink.count("master6", where)]).toEqual([count, count]);
    return true;
  });
}

async function receives(count: number): Promise<void> {
  await eventually(`${count} prefixes of each family are received`, 15, async () => {
    const { families } = await hub.peer("source");
    expect(families.map(({ received }) => received)).toEqual([count, count]);
    return true;
  });
}

const isUp = async (name: string) => (await hub.peer(name)).state === "Established";

const flaps = async () => (await hub.sessions())["source"];

describe("more prefixes than allowed", () => {
  test("warn: they are taken, and it is said", async () => {
    await receives(8);
    await sinkHas(8);
    expect((await hub.peer("source")).limits.maxPrefixes).toMatchObject({ limit: 5, reached: true });
    expect(segment.logOf(hub.station)).toContain("the limit is 5");
  });

  test("block: no more are taken; with a higher limit they are fetched", async () => {
    hub.reload(hubFile({ maxPrefixes: { limit: 8, action: "block" } }));
    await eventually("it is in force", 5, async () => (await hub.peer("source")).limits.maxPrefixes?.limit === 8);
    await source.configure(sourceFile({ ordinary: 12 }));
    await always("no more are taken", 1, async () => {
      const { families } = await hub.peer("source");
      return families.every(({ received }) => received === 8);
    });
    await sinkHas(8);
    hub.reload(hubFile({ maxPrefixes: { limit: 20, action: "block" } }));
    await receives(12);
    await sinkHas(12);
    expect(await flaps()).toBe(1);
  });

  test("restart: the session ends, and is tried again after a while", async () => {
    hub.reload(hubFile({ maxPrefixes: { limit: 5, action: "restart", restartAfter: 2 } }));
    await eventually("the session ends", 10, async () => !(await isUp("source")));
    await sinkHas(0);
    await eventually("BIRD is told why", 5, async () => {
      return (await source.ask("show protocols all hub")).includes("Maximum number of prefixes reached");
    });
    await source.configure(sourceFile({ ordinary: 3 }));
    await hub.established(15, "source");
    expect(await flaps()).toBe(2);
    await receives(3);
    await sinkHas(3);
  });

  test("shutdown: it stays down until it is enabled", async () => {
    hub.reload(hubFile({ maxPrefixes: { limit: 5 } }));
    await eventually("it is in force", 5, async () => {
      return (await hub.peer("source")).limits.maxPrefixes?.action === "shutdown";
    });
    await source.configure(sourceFile({ ordinary: 6 }));
    await eventually("the session ends", 10, async () => !(await isUp("source")));
    await sinkHas(0);
    await source.configure(sourceFile({ ordinary: 4 }));
    await always("it stays down", 1.5, async () => !(await isUp("source")));
    expect((await hub.command("enable", "source")).code).toBe(0);
    await hub.established(15, "source");
    await sinkHas(4);
  });

  test("outwards: no more are announced", async () => {
    const before = (await hub.sessions())["sink"];
    hub.reload(hubFile({}, { maxPrefixesOut: 2 }));
    await eventually("the sink has two of each family", 15, async () => {
      return (await sink.count("master4")) === 2 && (await sink.count("master6")) === 2;
    });
    hub.reload(hubFile());
    await sinkHas(4);
    expect((await hub.sessions())["sink"]).toBe(before);
  });
});

describe("route refresh", () => {
  const refreshes = async (name: string) => {
    const { messages, established } = await hub.peer(name);
    return { in: messages.received.routeRefresh, out: messages.sent.routeRefresh, established };
  };

  const sinkAdds = async (community: string) => {
    await eventually(`the sink's routes have ${community}`, 15, async () => {
      for (const prefix of prefixes(0)) expect(await sink.routes(prefix)).toContain(community);
      return true;
    });
  };

  test("asked for by BIRD, whose policy has changed: everything is told again", async () => {
    await sinkAdds("(65003,1)");
    const before = await refreshes("sink");
    await sink.configure(sinkFile("(65003,2)"));
    await sink.ask("reload in hub");
    await sinkAdds("(65003,2)");
    const after = await refreshes("sink");
    expect(after.in).toBeGreaterThan(before.in);
    expect(after.established).toBe(before.established);
  });

  test("told by BIRD unasked, and asked for by an operator: nothing is lost", async () => {
    const before = await refreshes("source");
    const updates = async () => (await hub.peer("source")).messages.received.update;
    const atFirst = await updates();
    await source.ask("reload out hub");
    await eventually("BIRD has told its routes again", 10, async () => (await updates()) > atFirst);
    const thereupon = await updates();
    expect((await hub.command("reset", "source", "--soft")).code).toBe(0);
    await eventually("and once more", 10, async () => (await updates()) > thereupon);
    const after = await refreshes("source");
    expect(after.out).toBeGreaterThan(before.out);
    expect(after.established).toBe(before.established);
    await receives(4);
    await sinkHas(4);
    expect((await hub.peer("source")).restart.stale).toEqual([]);
  });
});

describe("messages longer than 4096 octets", () => {
  const communitiesAt = async (router: Bird, prefix: string) =>
    [...(await router.routes(prefix)).matchAll(/\(65002,\d+\)/g)].length;

  test("a route with 1500 communities goes to a peer that takes them, and to no other", async () => {
    await source.configure(sourceFile({ ordinary: 4, communities: 100 }));
    for (const prefix of LONG) {
      for (const router of [sink, short]) {
        await eventually("all have it", 15, async () => (await communitiesAt(router, prefix)) === 100);
      }
    }
    await source.configure(sourceFile({ ordinary: 4, communities: 1500 }));
    for (const prefix of LONG) {
      await eventually("the sink has it", 15, async () => (await communitiesAt(sink, prefix)) === 1500);
      await eventually("it is withdrawn where it does not fit", 15, async () => (await short.routes(prefix)) === "");
    }
    await source.configure(sourceFile({ ordinary: 4, communities: 50 }));
    for (const prefix of LONG) {
      for (const router of [sink, short]) {
        await eventually("all have it again", 15, async () => (await communitiesAt(router, prefix)) === 50);
      }
    }
    expect((await hub.sessions())["short"]).toBe(1);
  });
});

describe("graceful shutdown (RFC 8326)", () => {
  const pathAtSink = async (prefix: string) => /BGP\.as_path: ([\d ]+)/.exec(await sink.routes(prefix))?.[1];

  test("a route marked by a neighbour is a last resort", async () => {
    await source.configure(sourceFile({ ordinary: 4, shut: "bgp_community.add((65002,7));" }));
    for (const prefix of SHUT) {
      await eventually("the short path is used", 15, async () => (await pathAtSink(prefix)) === "65000 65002");
    }
    await source.configure(sourceFile({ ordinary: 4, shut: `bgp_community.add(${GSHUT});` }));
    for (const prefix of SHUT) {
      await eventually("the long path is used", 15, async () => (await pathAtSink(prefix)) === "65000 65005 65005");
      const [marked] = await hub.routes({ in: "source", prefix });
      expect(marked).toMatchObject({ best: false });
    }
  });

  test("our own is told with the mark, within the session", async () => {
    const before = (await hub.sessions())["sink"];
    hub.reload(hubFile({}, { gracefulShutdown: true }));
    for (const prefix of prefixes(0)) {
      await eventually("it is marked", 15, async () => (await sink.routes(prefix)).includes(GSHUT));
    }
    hub.reload(hubFile());
    for (const prefix of prefixes(0)) {
      await eventually("it is not any more", 15, async () => !(await sink.routes(prefix)).includes(GSHUT));
    }
    expect((await hub.sessions())["sink"]).toBe(before);
  });
});
