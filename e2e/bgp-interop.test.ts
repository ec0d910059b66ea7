/**
 * `overland speaker` between real BIRD, FRR, GoBGP, OpenBGPD and ExaBGP: each announces a prefix of each family over one
 * session, and every other one hears of it through us. With TCP MD5 (BIRD) and TTL security (FRR), dialled from either
 * side, reconfigured, and with a neighbour that is killed and comes back.
 */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { OVERLAND, overland } from "./harness/program.ts";
import { always, eventually } from "./harness/wait.ts";
import { announceFromGobgp, DAEMONS, type Daemon, ipv4Of, ipv6Of, speakerFile } from "./interop/daemons.ts";
import { Segment, type Station } from "./interop/segment.ts";

const OWN = ["203.0.113.0/24", "2001:db8:113::/48"] as const;

const LISTENERS = DAEMONS.filter(({ heard }) => heard !== undefined).map((daemon) => [daemon.name, daemon] as const);

const segment = new Segment();
const stations = new Map<string, Station>();
const running = new Map<string, ChildProcess>();
let hub: Station;
let speaker: ChildProcess;

const stationOf = ({ name }: Daemon) => stations.get(name) as Station;
const named = (name: string) => DAEMONS.find((daemon) => daemon.name === name) as Daemon;

async function startDaemon(daemon: Daemon): Promise<void> {
  const station = stationOf(daemon);
  running.set(daemon.name, segment.start(station, await daemon.configure(station, hub)));
}

async function peers(): Promise<Record<string, string>> {
  const { stdout } = await overland(["bgp", "peers", "-o", "json", "--socket", `${hub.base}.sock`]);
  const { peers: all } = JSON.parse(stdout) as { peers: { name: string; state: string }[] };
  return Object.fromEntries(all.map(({ name, state }) => [name, state]));
}

/** The prefix is there, and its path as it must be. */
async function hears(daemon: Daemon, prefix: string, path: RegExp): Promise<boolean> {
  const said = await daemon.heard?.(stationOf(daemon), prefix).catch(() => "");
  return path.test(said ?? "");
}

beforeAll(async () => {
  await segment.make();
  hub = await segment.station("hub0", 1);
  for (const daemon of DAEMONS) stations.set(daemon.name, await segment.station(daemon.name, daemon.n));
  writeFileSync(`${hub.base}.yaml`, speakerFile(hub, OWN));
  speaker = segment.start(hub, [...OVERLAND, "speaker", "--config", `${hub.base}.yaml`]);
  // OpenBGPD rests for two minutes when its first try is refused.
  await eventually("the speaker listens", 15, () => segment.logOf(hub).includes("listening for BGP"));
  await Promise.all(DAEMONS.map(startDaemon));
  await eventually("GoBGP takes routes", 20, async () => {
    await announceFromGobgp(stations.get("gobgp") as Station);
    return true;
  });
});

afterAll(() => segment.remove());

describe("five daemons around one speaker", () => {
  test("every session comes up, whoever dials", async () => {
    const expected = Object.fromEntries(DAEMONS.map(({ name }) => [name, "Established"]));
    await eventually("all are Established", 40, async () => {
      expect(await peers()).toEqual(expected);
      return true;
    });
  });

  test.each(LISTENERS)("%s hears of the others, and of us", async (_name, daemon) => {
    const learned = DAEMONS.filter((other) => other !== daemon).flatMap(({ n, announcesIpv6 }) => {
      const path = new RegExp(`65000 ${65000 + n}`);
      return [ipv4Of(n), ...(announcesIpv6 === true ? [ipv6Of(n)] : [])].map((prefix) => ({ prefix, path }));
    });
    for (const { prefix, path } of [...learned, ...OWN.map((one) => ({ prefix: one, path: /65000/ }))]) {
      await eventually(`${daemon.name} hears of ${prefix}`, 30, () => hears(daemon, prefix, path));
    }
  });

  test("the looking glass explains a route", async () => {
    const { stdout, code } = await overland(["bgp", "explain", ipv4Of(3), "--socket", `${hub.base}.sock`]);
    expect(code).toBe(0);
    expect(stdout).toContain("65003");
    expect(stdout).toContain("frr");
  });

  test("a network taken out of the file is withdrawn everywhere, and no session is reset", async () => {
    writeFileSync(`${hub.base}.yaml`, speakerFile(hub, [OWN[1]]));
    process.kill(speaker.pid as number, "SIGHUP");
    for (const name of ["bird", "frr", "gobgp", "openbgpd"]) {
      await eventually(
        `${name} no longer hears of ${OWN[0]}`,
        20,
        async () => !(await hears(named(name), OWN[0], /65000/)),
      );
    }
    const { stdout } = await overland(["bgp", "peers", "-o", "json", "--socket", `${hub.base}.sock`]);
    for (const { established } of (JSON.parse(stdout) as { peers: { established: number }[] }).peers) {
      expect(established).toBe(1);
    }
  });

  test("a neighbour killed and started again loses no route of its own elsewhere (graceful restart)", async () => {
    const bird = named("bird");
    const kept = () => hears(named("openbgpd"), ipv4Of(bird.n), /65000 65002/);
    process.kill(-(running.get("bird")?.pid as number), "SIGKILL");
    const watched = always("OpenBGPD has BIRD's route", 8, kept);
    await eventually("the session is lost", 10, async () => (await peers())["bird"] !== "Established");
    await startDaemon(bird);
    await eventually("BIRD is back", 40, async () => (await peers())["bird"] === "Established");
    await watched;
    expect(await kept()).toBe(true);
  });

  test("a neighbour shut down with words says so, and is enabled again", async () => {
    const socket = ["--socket", `${hub.base}.sock`];
    const words = "maintenance until ten";
    expect((await overland(["bgp", "shutdown", "frr", "--message", words, ...socket])).code).toBe(0);
    await eventually(
      "FRR's route is gone elsewhere",
      20,
      async () => !(await hears(named("gobgp"), ipv4Of(3), /65003/)),
    );
    expect((await overland(["bgp", "enable", "frr", ...socket])).code).toBe(0);
    await eventually("FRR is back", 40, async () => (await peers())["frr"] === "Established");
  });
});
