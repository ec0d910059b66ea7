import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Explanation, PeerSummary, PeerView, RouteView } from "../../bgp/inspect/types.ts";
import { serveSocket } from "../api/server.ts";
import { manyPrefixes, peerAt, Wire } from "../speaker/record-testing.ts";
import { type RecordedApi, recordedApi } from "../speaker/recorded-api.ts";
import type { RecordedSpeaker } from "../speaker/recorded-speaker.ts";
import { type Ended, overland } from "./program-under-test.ts";

const MANY = 12_000;
const WALL = 1_700_000_000_000;

let folder: string;
let server: Server;
let speaker: RecordedSpeaker;
let wire: Wire;
let api: RecordedApi;

/** A speaker between r2, which announces many routes, r3, which announces some of them, and r4, which never comes. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "overland-bgp-cli-"));
  wire = new Wire(5);
  speaker = wire.add("10.0.0.1");
  wire.add("10.0.0.2");
  wire.add("10.0.0.3");
  wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(MANY) });
  wire.tell("10.0.0.3", { kind: "networks", prefixes: manyPrefixes(10) });
  wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(1, 100_000) });
  wire.tell("10.0.0.1", { kind: "peers", peers: [peerAt(1, 2), peerAt(1, 3), peerAt(1, 4)] });
  wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1, { passive: true })] });
  wire.tell("10.0.0.3", { kind: "peers", peers: [peerAt(3, 1, { passive: true })] });
  wire.run(3000);
  api = recordedApi({
    speaker,
    now: () => wire.now,
    wall: (time) => WALL + time,
    tell(fact) {
      wire.tell("10.0.0.1", fact);
      wire.run(100);
    },
    ends: () => undefined,
    version: "1.2.3",
    otherMetrics: () => [],
  });
  server = await serveSocket(join(folder, "s.sock"), api.routes);
}, 60_000);

afterAll(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

function bgp(...args: string[]): Promise<Ended> {
  return overland(["bgp", ...args, "--socket", join(folder, "s.sock")]);
}

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await bgp(...args, "-o", "json");
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as T;
}

describe("bgp peers", () => {
  it("has a line a peer and family", async () => {
    const { code, stdout } = await bgp("peers");
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(
      /^PEER +ADDRESS +AS +STATE +SINCE +FAMILY +RECEIVED +ACCEPTED +BEST +ADVERTISED +LAST ERROR$/,
    );
    expect(stdout).toMatch(/^r2 +10\.0\.0\.2 +65002 +Established +\d+s +ipv4-unicast +12000 +12000 +12000 +1 +-$/m);
    expect(stdout).toMatch(/^r4 +10\.0\.0\.4 +65004 +(Connect|Active) /m);
  });

  it("as JSON", async () => {
    const { peers } = await json<{ peers: PeerSummary[] }>("peers");
    expect(peers.map(({ name, state, type }) => [name, state === "Established", type])).toEqual([
      ["r2", true, "external"],
      ["r3", true, "external"],
      ["r4", false, "external"],
    ]);
    const [r2, r3] = peers as [PeerSummary, PeerSummary];
    expect(r2.families[0]).toEqual({
      family: "ipv4-unicast",
      received: MANY,
      accepted: MANY,
      best: MANY,
      advertised: 1,
      stale: 0,
    });
    expect(r3.families[0]).toMatchObject({ received: 10, accepted: 10, best: 0, advertised: MANY + 1 });
  });
});

describe("bgp peer", () => {
  it("says everything about one, found by name or address", async () => {
    const peer = await json<PeerView>("peer", "10.0.0.2");
    expect(peer).toMatchObject({
      name: "r2",
      state: "Established",
      localASNumber: 65001,
      timers: { holdTime: 9, connectRetryTime: 5 },
      negotiated: { families: ["ipv4-unicast", "ipv6-unicast"], asOctets: 4, peerRouterID: "10.0.0.2" },
      policy: { import: { filters: [], otherwise: "Accept" } },
      restart: { peerRestartTime: 120, endOfRIB: ["ipv4-unicast", "ipv6-unicast"], stale: [] },
    });
    expect(peer.messages).toMatchObject({ received: { open: 1, notification: 0 }, sent: { open: 1 } });
    expect(peer.messages.received.update).toBeGreaterThan(1);
    expect(peer.messages.received.total).toBe(
      peer.messages.received.open + peer.messages.received.update + peer.messages.received.keepalive,
    );
    expect(peer.timers.running.map(({ timer }) => timer)).toEqual(expect.arrayContaining(["Hold", "Keepalive"]));
    expect(peer.capabilities.sent).toEqual(
      expect.arrayContaining(["multiprotocol ipv4-unicast", "four-octet AS 65001"]),
    );
    expect(peer.capabilities.received).toContain("four-octet AS 65002");
    const { stdout } = await bgp("peer", "r2");
    expect(stdout).toMatch(/^r2: 10\.0\.0\.2 port 179, AS 65002, external$/m);
    expect(stdout).toMatch(/negotiated: hold time 9 s, .*peer's router ID 10\.0\.0\.2$/m);
  });

  it("that there is not is a failure, with the name that may have been meant", async () => {
    expect(await bgp("peer", "r5x")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "there is no peer r5x; there are r2, r3, r4\n",
    });
    expect(await bgp("peer", "rr2")).toMatchObject({ code: 1, stderr: "there is no peer rr2; did you mean r2?\n" });
    expect(await bgp("routes", "--in", "r33")).toMatchObject({
      code: 1,
      stderr: "there is no peer r33; did you mean r3?\n",
    });
    expect(await bgp("reset", "r22")).toMatchObject({ code: 1, stderr: "there is no peer r22; did you mean r2?\n" });
    expect(await bgp("capture", "r22")).toMatchObject({ code: 1, stderr: "there is no peer r22; did you mean r2?\n" });
  });
});

describe("bgp routes", () => {
  it("of one prefix, with every path of it", async () => {
    const { routes } = await json<{ routes: RouteView[] }>("routes", "20.0.3.0/24");
    expect(routes).toEqual([
      {
        prefix: "20.0.3.0/24",
        peer: "r2",
        best: true,
        decidedBy: "router-id",
        attributes: { origin: "igp", asPath: "65002", nextHop: "10.0.0.2" },
      },
      {
        prefix: "20.0.3.0/24",
        peer: "r3",
        best: false,
        attributes: { origin: "igp", asPath: "65003", nextHop: "10.0.0.3" },
      },
    ]);
    const { stdout } = await bgp("routes", "20.0.3.0/24");
    expect(stdout).toMatch(/^\*> +20\.0\.3\.0\/24 +10\.0\.0\.2 +r2 +- +- +65002 i +router-id$/m);
    expect(stdout).toMatch(/^\* +20\.0\.3\.0\/24 +10\.0\.0\.3 +r3 /m);
  });

  it("inside a prefix, the best only, of a peer, to a peer", async () => {
    const prefixes = async (...args: string[]) =>
      (await json<{ routes: RouteView[] }>("routes", ...args)).routes.map(({ prefix, peer }) => `${prefix} ${peer}`);
    expect(await prefixes("20.0.0.0/22", "--longer-prefixes", "--best")).toEqual([
      "20.0.0.0/24 r2",
      "20.0.1.0/24 r2",
      "20.0.2.0/24 r2",
      "20.0.3.0/24 r2",
    ]);
    expect(await prefixes("20.0.2.0/23", "--longer-prefixes", "--in", "r3")).toEqual([
      "20.0.2.0/24 r3",
      "20.0.3.0/24 r3",
    ]);
    expect(await prefixes("--in", "r3")).toHaveLength(10);
    expect(await prefixes("--in", "r3", "-6")).toEqual([]);
    const told = await json<{ routes: RouteView[] }>("routes", "20.0.3.0/24", "--out", "r3");
    expect(told.routes).toMatchObject([{ peer: "r2", attributes: { asPath: "65001 65002", nextHop: "10.0.0.1" } }]);
    expect(await prefixes("20.0.3.0/24", "--out", "r2")).toEqual([]);
  });

  it("all of them, in pages", async () => {
    const { stdout } = await bgp("routes", "-o", "json");
    const { routes } = JSON.parse(stdout) as { routes: RouteView[] };
    expect(routes).toHaveLength(MANY + 10 + 1);
    expect(stdout.split("\n")).toHaveLength(MANY + 10 + 1 + 3);
    const table = (await bgp("routes", "--best")).stdout.trimEnd().split("\n");
    expect(table).toHaveLength(MANY + 1 + 1);
    expect(table.filter((line) => line.includes("NEXT HOP"))).toHaveLength(1);
  });

  it.each([
    [["routes", "10.0.0.1/8"], "10.0.0.1/8 has bits set behind its length; 10.0.0.0/8 is the prefix\n"],
    [["routes", "10.0.0.0/8", "-6"], "10.0.0.0/8 is no IPv6 prefix (it has 32 bits)\n"],
    [["routes", "--in", "r2", "--out", "r3"], "--in and --out together: choose one of them\n"],
    [["routes", "--longer-prefixes"], "--longer-prefixes: of which PREFIX?\n"],
    [["explain", "x"], '"x" is neither a prefix such as 192.0.2.0/24 or 2001:db8::/32 nor an address\n'],
  ])("asked wrongly: %j", async (args, stderr) => {
    expect(await bgp(...args)).toEqual({ code: 2, stdout: "", stderr });
  });

  it("that there are not are no failure", async () => {
    expect(await bgp("routes", "9.9.9.0/24")).toEqual({ code: 0, stdout: "", stderr: "there is no such route\n" });
  });
});

describe("bgp explain", () => {
  it("has the candidates, what decided, where it leads and who is told", async () => {
    const answer = await json<Explanation>("explain", "20.0.3.77");
    expect(answer).toMatchObject({
      asked: "20.0.3.77",
      prefix: "20.0.3.0/24",
      candidates: [
        { peer: "r2", best: true, multipath: true, nextHopMetric: 0, gateways: ["10.0.0.2%2"] },
        { peer: "r3", best: false, multipath: true },
      ],
      decidedBy: "router-id",
      forwarding: ["10.0.0.2%2", "10.0.0.3%2"],
      exports: [
        { peer: "r2", exported: false, why: "the best path came from this peer" },
        { peer: "r3", exported: true, why: "no export filter", attributes: { asPath: "65001 65002" } },
        { peer: "r4", exported: false },
      ],
    });
    const { stdout, code } = await bgp("explain", "20.0.3.77");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^20\.0\.3\.77: longest match 20\.0\.3\.0\/24$/m);
    expect(stdout).toMatch(/decided by router-id: it came from the lowest/);
    expect(stdout).toMatch(/^ {2}r4 +no +no session \((Connect|Active)\)$/m);
  });

  it("of what nobody routes fails", async () => {
    expect(await bgp("explain", "9.9.9.9")).toMatchObject({ code: 1, stderr: "no route covers 9.9.9.9\n" });
  });
});

describe("files", () => {
  it("a recording replays to the routes there are", async () => {
    const file = join(folder, "run.jsonl");
    const recorded = await bgp("record", "-o", file);
    expect(recorded).toMatchObject({ code: 0, stderr: expect.stringMatching(/run\.jsonl: \d+ octets\n/) });
    const { code, stdout } = await overland(["replay", file, "-o", "json"]);
    expect(code).toBe(0);
    const replayed = JSON.parse(stdout) as { complete: boolean; peers: PeerSummary[]; routes: RouteView[] };
    const { routes } = await json<{ routes: RouteView[] }>("routes");
    expect(replayed.complete).toBe(true);
    expect(replayed.routes).toEqual(routes);
    const text = (await overland(["replay", file])).stdout;
    expect(text).toMatch(/^\d+ facts, until 2023-11-14T22:13:\S+Z, recorded by overland 1\.2\.3$/m);
    expect(text).toMatch(/^r2 +10\.0\.0\.2 +65002 +Established /m);
    expect((await overland(["replay", join(folder, "none")])).stderr).toMatch(/none cannot be replayed: ENOENT/);
    writeFileSync(file, "no recording\n");
    expect(await overland(["replay", file])).toMatchObject({ code: 1, stderr: expect.stringMatching(/line 1: /) });
  }, 20_000);

  it("an MRT dump is read by bgpdump", async () => {
    const file = join(folder, "rib.mrt");
    expect((await bgp("mrt", "-o", file)).code).toBe(0);
    const lines = execFileSync("bgpdump", ["-m", file], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const rows = lines.trimEnd().split("\n");
    expect(rows).toHaveLength(MANY + 10 + 1);
    expect(rows.filter((row) => row.includes("|B|10.0.0.3|65003|20.0.3.0/24|65003|IGP|10.0.0.3|"))).toHaveLength(1);
    expect(rows.filter((row) => row.includes("|B|0.0.0.0|65001|"))).toHaveLength(1);
  });

  it("that cannot be written are a failure in a sentence", async () => {
    const { code, stderr } = await bgp("mrt", "-o", join(folder, "no", "such", "folder"));
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^cannot write .*folder: ENOENT/)]);
  });

  it("a capture goes to the terminal, to a pcap file, or on as JSON", async () => {
    const file = join(folder, "r2.pcap");
    const captures = [bgp("capture", "r2", "--count", "1"), bgp("capture", "r2", "--count", "1", "-o", file)];
    const both = Promise.all(captures);
    // Each begins in its own time; the wire goes on until both have seen a message.
    for (let over = false; !over; ) {
      over = await Promise.race([
        both.then(() => true),
        new Promise<false>((resolve) => setTimeout(resolve, 50, false)),
      ]);
      if (speaker.captures.any) wire.run(3000);
    }
    const [text, pcap] = (await both) as [Ended, Ended];
    expect(text.stdout).toMatch(/^2023-11-14T22:13:\S+Z r2 (sent|received) KEEPALIVE 19\n$/);
    expect(pcap.code).toBe(0);
    expect(readFileSync(file).readUInt32BE(0)).toBe(0xa1b2c3d4);
    expect(speaker.captures.any).toBe(false);
    expect(await bgp("capture", "r2", "--duration", "0.2")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await bgp("capture", "r2", "--count", "many")).code).toBe(2);
  });
});

describe("a watcher who goes away", () => {
  it("ends the capture", async () => {
    const asked = request({ socketPath: join(folder, "s.sock"), path: "/v1/bgp/peers/r2/capture" }, (answer) => {
      answer.resume();
      answer.on("error", () => undefined);
    });
    asked.on("error", () => undefined);
    asked.end();
    for (let i = 0; i < 1000 && !speaker.captures.any; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(speaker.captures.any).toBe(true);
    asked.destroy();
    for (let i = 0; i < 1000 && speaker.captures.any; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(speaker.captures.any).toBe(false);
  });
});

describe("operations", () => {
  it("reset, shut down with words, enable", async () => {
    const since = speaker.neighbors[1]?.peer.since;
    expect(await bgp("reset", "r3", "--soft")).toMatchObject({
      code: 0,
      stdout: "r3 asked for all routes again; it is Established\n",
    });
    expect(speaker.neighbors[1]?.peer.since).toBe(since);
    const down = await json<PeerView>("shutdown", "r3", "--message", "back at 10");
    expect([down.state, down.enabled]).toEqual(["Idle", false]);
    wire.run(20_000);
    expect((await json<PeerView>("peer", "r3")).state).toBe("Idle");
    expect((await bgp("peers")).stdout).toMatch(/^r3 .*Idle \(shut down\)/m);
    expect((await bgp("enable", "r3")).code).toBe(0);
    wire.run(5000);
    const up = await json<PeerView>("peer", "r3");
    expect(up.state).toBe("Established");
    expect(up.notifications.map(({ direction, text }) => `${direction} ${text}`)).toEqual([
      'sent Cease/Administrative Shutdown: "back at 10"',
    ]);
    expect((await bgp("reset", "r3", "--message", "hello")).stdout).toMatch(/^r3 reset; it is /);
    const long = await bgp("shutdown", "r3", "--message", "x".repeat(300));
    expect(long).toMatchObject({ code: 2, stderr: expect.stringMatching(/300 octets long; a peer can be told 255/) });
  });
});

describe("nobody to ask", () => {
  it("is said with what to do", async () => {
    const { code, stderr } = await overland(["bgp", "peers", "--socket", join(folder, "none.sock")]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^no speaker runs here: .*none\.sock does not exist; start/),
    ]);
  });
});
