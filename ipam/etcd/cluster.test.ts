/**
 * The store on a cluster of three etcds, under load, while members are killed, frozen, restarted and their history is
 * compacted: no call outlives its time, what was said of a write is true, none is applied twice, and a watch ends with
 * what is there.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import type { Allocator } from "../allocator.ts";
import { ipamRoot } from "../keys.ts";
import type { Store, StoreUnavailable } from "../store.ts";
import { describeStore, WatchLog, write } from "../store-contract.ts";
import { auditOf, poolOf, requestOf, texts } from "../world-for-tests.ts";
import { openEtcdStore } from "./client.ts";
import { allocatorOnTime, eventually, OwnTime } from "./etcd-clients-for-tests.ts";
import { EtcdForTests } from "./etcd-for-tests.ts";

jest.setTimeout(60_000);

const CALL_TIMEOUT_MS = 1000;
/** On top of it: the client's own margin, and a busy process. */
const SLACK_MS = 1500;
const RECOVERY_MS = 6000;
/** On each client: so many that some writes are on their way inside the cluster when a member dies. */
const WRITERS = 8;

let members: EtcdForTests[];
beforeAll(async () => {
  members = await EtcdForTests.prepareCluster(3);
  await Promise.all(members.map((member) => member.start()));
});
afterAll(() => Promise.all(members.map((member) => member.remove())));

/** All members, beginning with this one: the one that the client asks as long as it answers. */
function storeOf(first: EtcdForTests): Store {
  const endpoints = [first, ...members.filter((member) => member !== first)].map(({ endpoint }) => endpoint);
  return openEtcdStore({ endpoints, callTimeoutMs: CALL_TIMEOUT_MS });
}

const leader = (): Promise<EtcdForTests> =>
  eventually(async () => {
    const found = members.find((member) => member.leads());
    if (found === undefined) throw new Error("no member leads");
    return found;
  });
const follower = async (): Promise<EtcdForTests> => {
  const leading = await leader();
  return members.find((member) => member !== leading) as EtcdForTests;
};
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Outcome = "applied" | StoreUnavailable["outcome"];

/** Writers and readers on a client for each member: every write has a key of its own and expects nothing. */
class Load {
  readonly #root: string;
  readonly #stores = members.map(storeOf);
  readonly #logs = members.map(() => new WatchLog());
  readonly #outcomes = new Map<string, Outcome>();
  readonly #workers: Promise<void>[];
  readonly #time = new OwnTime();
  #slowestMs = 0;
  #over = false;

  constructor(root: string) {
    this.#root = root;
    for (const [i, store] of this.#stores.entries()) store.watch(root, this.#logs[i] as WatchLog);
    this.#workers = this.#stores.flatMap((store, i) => [
      ...Array.from({ length: WRITERS }, (_, j) =>
        this.#repeat((n) => this.#write(store, `${root}${i}/${j}/${String(n).padStart(6, "0")}`)),
      ),
      this.#repeat(() => store.get([`${root}none`])),
      this.#repeat(() => store.list(`${root}none`)),
    ]);
  }

  count(outcome: Outcome): number {
    return [...this.#outcomes.values()].filter((one) => one === outcome).length;
  }

  /** Every client writes again, and every watch tells what another client wrote. */
  async recovers(): Promise<void> {
    const before = this.#perClient();
    await eventually(async () => {
      if (this.#perClient().some((count, i) => count <= (before[i] as number))) throw new Error("a client is stuck");
    }, RECOVERY_MS);
    await this.#seenByAll(`${this.#root}marker-${before.join("-")}`, RECOVERY_MS);
  }

  async everybodySees(withinMs: number): Promise<void> {
    await this.#seenByAll(`${this.#root}marker-while-${Date.now()}`, withinMs);
  }

  /** Ends the load, and holds what it was told against what is there. */
  async check(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#workers);
    expect(this.#slowestMs).toBeLessThan(CALL_TIMEOUT_MS + SLACK_MS);
    await this.#seenByAll(`${this.#root}last`, RECOVERY_MS);
    const { entries } = await (this.#stores[0] as Store).list(this.#root);
    const there = new Map(entries.map(({ key, value }) => [key, value]));
    const wrong = [...this.#outcomes].filter(
      ([key, outcome]) => outcome !== "unknown" && there.has(key) !== (outcome === "applied"),
    );
    expect(wrong).toEqual([]);
    for (const log of this.#logs) expect([...log.content].sort()).toEqual([...there].sort());
    const { kvs } = JSON.parse((await leader()).control("get", "--prefix", this.#root, "-w", "json"));
    expect((kvs as { version: number }[]).filter(({ version }) => version !== 1)).toEqual([]);
    expect(kvs).toHaveLength(there.size);
  }

  async stop(): Promise<void> {
    this.#over = true;
    this.#time.stop();
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  #perClient(): number[] {
    return this.#stores.map((_, i) => {
      const own = [...this.#outcomes].filter(([key]) => key.startsWith(`${this.#root}${i}/`));
      return own.filter(([, outcome]) => outcome === "applied").length;
    });
  }

  async #write(store: Store, key: string): Promise<void> {
    try {
      await write(store, { put: [{ key, value: key }] });
      this.#outcomes.set(key, "applied");
    } catch (error) {
      this.#outcomes.set(key, (error as StoreUnavailable).outcome);
      throw error;
    }
  }

  async #seenByAll(key: string, withinMs: number): Promise<void> {
    const sane = (await leader()).endpoint;
    const other = openEtcdStore({ endpoints: [sane] });
    await eventually(async () => {
      const created = await other.commit({ expect: [{ key, modRevision: 0n }], put: [{ key, value: "" }], delete: [] });
      // False: the commit before was applied although it was not answered.
      return created;
    });
    await Promise.all(this.#logs.map((log) => log.until(() => log.content.has(key), withinMs)));
    await other.close();
  }

  async #repeat(work: (n: number) => Promise<unknown>): Promise<void> {
    for (let n = 0; !this.#over; n++) {
      const started = this.#time.now();
      try {
        await work(n);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
      }
      this.#slowestMs = Math.max(this.#slowestMs, this.#time.now() - started);
      await sleep(5);
    }
  }
}

describeStore("etcd, three members", async () => {
  const [store, other] = [storeOf(members[0] as EtcdForTests), storeOf(members[1] as EtcdForTests)];
  return {
    store,
    other,
    stop: async () => {
      for (let keys = await left(other); keys.length > 0; keys = await left(other))
        await write(other, { delete: keys });
      await Promise.all([store.close(), other.close()]);
    },
  };
});
const left = async (store: Store) => (await store.listKeys("/overland/v1/test-")).slice(0, 128);

describe("under load", () => {
  let load: Load;
  let runs = 0;
  beforeEach(async () => {
    load = new Load(`/load-${++runs}/`);
    await load.recovers();
  });
  afterEach(async () => {
    for (const member of members) member.signal("SIGCONT");
    await load.stop();
  });

  it("the leader is killed, and comes back", async () => {
    const former = await leader();
    await former.kill();
    await load.recovers();
    await former.start();
    await load.recovers();
    await load.check();
    // Else nothing was proved: writes were under way when it died.
    expect(load.count("unknown") + load.count("not-applied")).toBeGreaterThan(0);
  });

  it("a follower is killed with writes that it passed on, and comes back", async () => {
    const former = await follower();
    await former.kill();
    await load.recovers();
    await former.start();
    await load.recovers();
    await load.check();
    expect(load.count("unknown")).toBeGreaterThan(0);
  });

  it("the leader is frozen, another one leads, it goes on", async () => {
    const former = await leader();
    former.signal("SIGSTOP");
    await sleep(1500);
    await load.recovers();
    expect(await leader()).not.toBe(former);
    former.signal("SIGCONT");
    await load.recovers();
    await load.check();
    expect(load.count("unknown")).toBeGreaterThan(0);
  });

  it("a follower is frozen: who asked it writes and watches by another, also when it goes on", async () => {
    const frozen = await follower();
    frozen.signal("SIGSTOP");
    await load.recovers().catch(() => {});
    // A stream that only listens notices by the connection's own pings, every 6 s.
    await load.everybodySees(15_000);
    frozen.signal("SIGCONT");
    await load.recovers();
    await load.check();
    expect(load.count("unknown")).toBeGreaterThan(0);
  });

  it("history is compacted under running watches, and while a member is away", async () => {
    const away = await follower();
    const compact = async () => {
      const [{ Status }] = JSON.parse((await leader()).control("endpoint", "status", "-w", "json"));
      (await leader()).control("compact", String(Status.header.revision));
    };
    await compact();
    await load.recovers();
    await away.kill();
    await sleep(300);
    await compact();
    await away.start();
    await compact();
    await load.recovers();
    await load.check();
  });

  it("all members are killed and started again", async () => {
    await Promise.all(members.map((member) => member.kill()));
    await sleep(1500);
    const failed = load.count("not-applied");
    await Promise.all(members.map((member) => member.start()));
    await load.recovers();
    await load.check();
    expect(failed).toBeGreaterThan(0);
  });
});

describe("allocators", () => {
  it("keep their word while the leader is killed, a follower is frozen and all are restarted", async () => {
    const pools = [poolOf("v4", "10.244.0.0/20", 26), poolOf("v6", "fd00:244::/64", 122)];
    const stores = members.map(storeOf);
    const nodes = stores.map((store, i) => allocatorOnTime(store, `n${i}`, pools));
    const held = new Map<string, readonly string[]>();
    const failed = new Map<string, Allocator>();
    const over = new AbortController();
    const life = async (node: Allocator, name: string) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const handle = `${name}-${n}`;
        const answer = await node.assign(requestOf(handle)).then(texts, () => undefined);
        if (answer === undefined) failed.set(handle, node);
        else held.set(handle, answer);
        const former = `${name}-${n - 3}`;
        if (n % 2 === 0 && held.has(former)) {
          const freed = await node.release(former).catch(() => undefined);
          held.delete(former);
          if (freed === undefined) failed.set(former, node);
        }
        await sleep(5);
      }
    };
    const lives = nodes.flatMap((node, i) => Array.from({ length: 4 }, (_, j) => life(node, `p${i}-${j}`)));
    await sleep(500);
    const [killed, frozen] = [await leader(), await follower()];
    await killed.kill();
    await sleep(1500);
    await killed.start();
    frozen.signal("SIGSTOP");
    await sleep(1500);
    frozen.signal("SIGCONT");
    await Promise.all(members.map((member) => member.kill()));
    // Longer than a request is patient.
    await sleep(3000);
    await Promise.all(members.map((member) => member.start()));
    await sleep(1000);
    over.abort();
    await Promise.all(lives);
    // As a runtime does: a DEL for each request that failed.
    for (const [handle, node] of failed) await eventually(() => node.release(handle), RECOVERY_MS);
    const store = stores[0] as Store;
    expect(await auditOf(store)).toEqual([]);
    const observer = allocatorOnTime(store, "observer", pools);
    for (const [handle, addresses] of held) {
      expect([handle, texts(await observer.assignmentsOf(handle))]).toEqual([handle, addresses]);
    }
    expect(await store.listKeys(`${ipamRoot}handles/`)).toHaveLength(held.size);
    expect(new Set([...held.values()].flat()).size).toBe(2 * held.size);
    expect(held.size).toBeGreaterThan(50);
    expect(failed.size).toBeGreaterThan(0);
    await Promise.all(stores.map((one) => one.close()));
  });
});
