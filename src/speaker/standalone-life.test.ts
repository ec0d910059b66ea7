import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { joinTestNetns, type TestNetns } from "../kernel/testing.ts";
import { Bench } from "./testing.ts";

jest.setTimeout(60_000);

let bench: Bench;
let ours: TestNetns;

beforeEach(() => {
  bench = new Bench();
  ours = bench.netns();
});

afterEach(() => bench.remove());

/** Two speakers on one machine; the second one dials the first. */
const first = (more: string) => `asNumber: 65000\nrouterID: 10.0.0.1\nlisten: [{address: 127.0.0.1}]\n${more}`;
const second = (more: string, peer = "") => `
asNumber: 65001
routerID: 10.0.0.2
listen: []
peers: [{name: first, address: 127.0.0.1, asNumber: 65000, connectRetryTime: 1, ${peer}}]
${more}`;
const peers = (...lines: string[]) => `peers:\n${lines.map((line) => `  - ${line}\n`).join("")}`;
const KNOWN = "{name: known, address: 127.0.0.1, asNumber: 65001, passive: true";

describe("a speaker that is told to read its file again", () => {
  it("takes what changed over, and leaves sessions alone", async () => {
    const a = bench.speaker(ours, first(peers(`${KNOWN}}`)));
    const b = bench.speaker(ours, second("networks: [198.51.100.0/24]"));
    await a.whenEstablished("known");
    await a.reload(first(`networks: [203.0.113.0/24]\n${peers(`${KNOWN}}`, "{address: 192.0.2.7, asNumber: 5}")}`));
    await b.untilRoutes("the new network", (routes) => routes.some(({ prefix }) => prefix === "203.0.113.0/24"));
    await a.reload(first(peers(`${KNOWN}, export: Reject}`)));
    await b.untilRoutes("it is gone", (routes) => routes.every(({ prefix }) => prefix !== "203.0.113.0/24"));
    await b.reload(second("networks: [198.51.100.0/24, 198.51.101.0/24]"));
    await a.untilRoutes("two routes", (routes) => routes.length === 2);
    await a.reload(first(peers(`${KNOWN}, import: Reject}`)));
    await a.untilRoutes("no route any more", (routes) => routes.every(({ best }) => !best));
    expect([a.established, b.established]).toEqual([["known"], ["first"]]);
    await a.reload(first(peers(`${KNOWN}, holdTime: 30}`)));
    await a.until("a new session", () => a.established.length === 2);
    await a.reload(first(""));
    await b.until("its peer is gone", () => b.log.some(({ reason }) => String(reason).includes("De-configured")));
  });

  it("goes on as before when there is a mistake in it, and says where", async () => {
    const a = bench.speaker(ours, first(`networks: [203.0.113.0/24]\n${peers(`${KNOWN}}`)}`));
    const b = bench.speaker(ours, second(""));
    await a.whenEstablished("known");
    await a.reload(first(`networks: [203.0.113.0/24, 203.0.113.1/24]\n${peers(`${KNOWN}, holdTime: 1}`)}`));
    const faults = () => a.log.filter(({ message }) => message === "the configuration stays as it was");
    await a.until("both are said", () => faults().length === 2);
    expect(faults().map(({ fault }) => String(fault).replace(/.*yaml:/, ""))).toEqual([
      expect.stringContaining("4: networks[1]:"),
      expect.stringContaining("6: peers[0].holdTime:"),
    ]);
    await b.untilRoutes("the network", (routes) => routes.length === 1);
    expect(a.established).toEqual(["known"]);
  });

  it("says what only a new start can change", async () => {
    const a = bench.speaker(ours, first(""));
    await a.until("it listens", () => a.log.some(({ message }) => message === "listening for BGP"));
    await a.reload(first("kernel: {install: true}\nlog: {level: debug, file: /nowhere}\n"));
    const warned = () => a.log.filter(({ level }) => level === "warn").map(({ field }) => field);
    await a.until("both are said", () => warned().length === 2);
    expect(warned()).toEqual(["kernel", "log.file"]);
  });
});

describe("a speaker's end", () => {
  it("is told to its peers, and by default they forget its routes", async () => {
    const a = bench.speaker(ours, first(`networks: [203.0.113.0/24]\n${peers(`${KNOWN}}`)}`));
    const b = bench.speaker(ours, second(""));
    await b.untilRoutes("the network", (routes) => routes.length === 1);
    expect(await a.stop()).toBe(0);
    await b.until("the words arrive", () =>
      b.log.some(({ reason }) => /Administrative Shutdown.*the speaker is stopped/.test(String(reason))),
    );
    await b.untilRoutes("no route", (routes) => routes.length === 0);
  });

  it("is a restart to peers with maxRestartTime, who keep its routes", async () => {
    const config = first(`networks: [203.0.113.0/24]\n${peers(`${KNOWN}, maxRestartTime: 60s}`)}`);
    const a = bench.speaker(ours, config);
    const b = bench.speaker(ours, second(""));
    await b.untilRoutes("the network", (routes) => routes.length === 1);
    await a.stop();
    await b.untilRoutes("it is kept", (routes) => routes[0]?.stale === true);
    bench.speaker(ours, config);
    await b.untilRoutes("it is said again", (routes) => routes[0]?.stale === false);
    expect(b.log.filter(({ reason }) => /Cease/.test(String(reason)))).toEqual([]);
  });
});

describe("a speaker that cannot start", () => {
  it("says every mistake and ends with 2", async () => {
    const a = bench.speaker(ours, "asNumber: 65000\npeer: []\nlisten: [{port: 0}]\n");
    await a.until("it ends", () => a.exitCode !== null);
    expect([a.exitCode, a.said.replaceAll(/^.*\/speaker/gm, "")]).toEqual([
      2,
      expect.stringMatching(/^\d+.yaml:2: peer: unknown field; did you mean peers\?\n\d+.yaml:3: listen\[0\].port: 0 /),
    ]);
  });

  it("leaves the socket to the one that has it, and ends with 2", async () => {
    const a = bench.speaker(ours, first(""));
    await a.until("it listens", () => a.log.some(({ message }) => message === "listening for BGP"));
    const b = bench.speaker(ours, first(`api: {socket: ${a.socket}}\n`));
    await b.until("it ends", () => b.exitCode !== null);
    expect([b.exitCode, b.said]).toEqual([2, expect.stringContaining(`answers on ${a.socket}: stop it first`)]);
    expect(await a.ask("/v1/status")).toMatchObject({ asNumber: 65000, routerID: "10.0.0.1" });
  });

  it("waits for a port that somebody else has", async () => {
    const a = bench.speaker(ours, first(""));
    await a.until("it listens", () => a.log.some(({ message }) => message === "listening for BGP"));
    const b = bench.speaker(ours, first(""));
    await b.until("it says so", () => b.log.some(({ level }) => level === "error"));
    expect(await b.ask("/v1/status")).toMatchObject({
      problems: ["cannot listen on 127.0.0.1 port 179: another program has it; stop it or change listen"],
    });
    await a.stop();
    await b.until("it listens", () => b.log.some(({ message }) => message === "listening for BGP"));
  });

  it("needs a routerID where there is no IPv4 address to take", async () => {
    const a = bench.speaker(ours, "asNumber: 65000");
    await a.until("it ends", () => a.exitCode !== null);
    expect([a.exitCode, a.said]).toEqual([
      2,
      expect.stringContaining("has no IPv4 address to be its routerID; set routerID"),
    ]);
    joinTestNetns(ours, bench.netns(), ["10.7.0.1/24"], []);
    const b = bench.speaker(ours, "asNumber: 65000");
    await b.until("it listens", () => b.log.some(({ message }) => message === "listening for BGP"));
    expect(await b.ask("/v1/status")).toMatchObject({ routerID: "10.7.0.1" });
  });
});

describe("peers that are not known one by one", () => {
  it("are let in by their range, whatever their AS when none is said", async () => {
    const a = bench.speaker(ours, first(peers("{name: any, address: 127.0.0.0/8}")));
    bench.speaker(ours, second("networks: [198.51.100.0/24]", "sourceAddress: 127.0.7.7"));
    await a.whenEstablished("any/127.0.7.7");
    await a.untilRoutes("its route", (routes) => routes.some(({ peer }) => peer === "any/127.0.7.7"));
  });
});
