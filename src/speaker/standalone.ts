/**
 * `overland speaker`: the same speaker as on a node, without Kubernetes or etcd, configured by one file.
 *
 * The composition root of that program. A changed file is read again on request; what did not change is not touched.
 */
import type { Server } from "node:http";
import { DEFAULT_SETTINGS, type SpeakerSettings } from "../../bgp/facts.ts";
import { warmUp } from "../../bgp/warm-up.ts";
import { type Address, addressOf, isLinkLocal, isLoopback } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { refuseSecond, serveHttp, serveSocket } from "../api/server.ts";
import type { SpeakerConfig, SpeakerConfigResult } from "../config/speaker-config.ts";
import { trimMalloc } from "../kernel/ffi.ts";
import { listLinks } from "../kernel/links.ts";
import { type Log, openLog } from "../telemetry/log.ts";
import { giveBackWhenQuiet } from "./give-back.ts";
import type { Listen } from "./listeners.ts";
import { BGP_PORT, peerName, peersOf } from "./peer-configs.ts";
import { Routing } from "./routing.ts";
import { type SpeakerView, speakerRoutes } from "./speaker-routes.ts";
import { peerStatus } from "./status.ts";

export const SPEAKER_SOCKET = "/run/overland/speaker.sock";
const FAREWELL = "the speaker is stopped";

export interface Standalone {
  /** Takes over what the configuration has become; one with a fault changes nothing. */
  reload(read: () => Promise<SpeakerConfigResult>): Promise<void>;
  stop(): Promise<void>;
}

/** Throws with a sentence for the operator when the program cannot run here. */
export async function startStandalone(config: SpeakerConfig, version: string): Promise<Standalone> {
  const { level = "info", file } = config.log ?? {};
  const log = openLog({ level, ...(file === undefined ? {} : { file }) });
  const routerId = routerIdOf(config);
  log.info("overland speaker starts", {
    version,
    as: config.asNumber,
    pid: process.pid,
    node_version: process.version,
  });
  warmUp();
  // What the compiler took and needs no more. A collection here would throw away what it made, too.
  trimMalloc();
  const socket = await socketOf(config, log);
  const routing = new Routing({
    log,
    install: config.kernel?.install ?? false,
    ...(config.kernel?.table === undefined ? {} : { table: config.kernel.table }),
    listenCure: "change listen",
  });
  const state = { config };
  const routes = speakerRoutes(viewOf(routing, routerId, version, () => state.config));
  const servers: Server[] = [];
  try {
    if (socket !== undefined) servers.push(await serveSocket(socket, routes.socket));
    const http = httpOf(config);
    if (http !== undefined) servers.push(await serveHttp(http.host, http.port, routes.http));
  } catch (error) {
    for (const server of servers) server.close();
    await routing.stop();
    throw error;
  }
  apply(routing, config, routerId);
  const stopGivingBack = giveBackWhenQuiet();
  const reload = async (read: () => Promise<SpeakerConfigResult>) => {
    const result = await read();
    if ("faults" in result) {
      for (const fault of result.faults) log.error("the configuration stays as it was", { fault });
      return;
    }
    takeOver(result.config);
  };
  const takeOver = (changed: SpeakerConfig) => {
    for (const field of fixedFields(state.config, changed)) {
      log.warn("this part of the configuration takes effect when the speaker is started again", { field });
    }
    state.config = changed;
    log.setLevel(changed.log?.level ?? "info");
    apply(routing, changed, changed.routerID === undefined ? routerId : addressOf(changed.routerID));
    log.info("the configuration was read again");
  };
  let reloading = Promise.resolve();
  return {
    reload(read) {
      // One after the other: the last one read is the last one in force.
      reloading = reloading.then(() => reload(read));
      return reloading;
    },
    async stop() {
      log.info("overland speaker stops");
      stopGivingBack();
      for (const server of servers) server.close();
      await farewell(routing, state.config);
      await log.close();
    },
  };
}

/**
 * To a peer with maxRestartTime in the file a stop is a restart: nothing is said, and it keeps our routes. The others
 * are told that this is the end. Our routes leave the kernel if nobody expects us back.
 */
async function farewell(routing: Routing, config: SpeakerConfig): Promise<void> {
  const expecting = (config.peers ?? []).filter(({ maxRestartTime = 0 }) => maxRestartTime > 0).map(peerName);
  if (expecting.length === 0) return routing.shutDown(FAREWELL);
  const isExpecting = (name: string) => expecting.some((one) => name === one || name.startsWith(`${one}/`));
  for (const { peer } of routing.speaker.neighbors) {
    if (!isExpecting(peer.config.name)) {
      routing.tell({ kind: "disable", peer: peer.config.name, message: FAREWELL });
    }
  }
  await routing.stop();
}

/** What is not taken over by a running speaker, of what has changed. */
function fixedFields(before: SpeakerConfig, after: SpeakerConfig): string[] {
  const fields = {
    api: ({ api }: SpeakerConfig) => api,
    kernel: ({ kernel }: SpeakerConfig) => kernel,
    "log.file": ({ log }: SpeakerConfig) => log?.file,
  };
  return Object.entries(fields)
    .filter(([, value]) => JSON.stringify(value(before)) !== JSON.stringify(value(after)))
    .map(([field]) => field);
}

function apply(routing: Routing, config: SpeakerConfig, routerId: Address): void {
  routing.configure(settingsOf(config));
  routing.announce({ networks: (config.networks ?? []).map(prefixOf), blackholes: [] });
  const { peers, ranges } = peersOf(config, routerId, listLinks());
  routing.setPeers(peers, ranges, listensOf(config));
}

function settingsOf({
  compareMED,
  missingMED,
  multipath = DEFAULT_SETTINGS.multipath,
}: SpeakerConfig): SpeakerSettings {
  return {
    compareMed: compareMED === "Always" ? "always" : "same-as",
    missingMed: missingMED === "Worst" ? "worst" : "best",
    multipath: multipath === true ? DEFAULT_SETTINGS.multipath : multipath === false ? 1 : multipath,
  };
}

function listensOf({ listen }: SpeakerConfig): Listen[] {
  return (listen ?? [{}]).map(({ address, port = BGP_PORT }) => {
    if (address === undefined) return { port };
    const [text, device] = address.split("%", 2) as [string, string | undefined];
    return { address: { address: addressOf(text), ...(device === undefined ? {} : { device }) }, port };
  });
}

/** RFC 4271 1: an IPv4 address of this machine, unless one was given. */
function routerIdOf({ routerID }: SpeakerConfig): Address {
  if (routerID !== undefined) return addressOf(routerID);
  const own = listLinks()
    .sort((a, b) => a.index - b.index)
    .flatMap(({ addresses }) => addresses)
    .find(({ address }) => address.length === 4 && !isLoopback(address) && !isLinkLocal(address));
  if (own === undefined) throw new Error("this machine has no IPv4 address to be its routerID; set routerID");
  return own.address;
}

/** A socket that was asked for must be ours alone; the usual one may be another speaker's in another namespace. */
async function socketOf({ api }: SpeakerConfig, log: Log): Promise<string | undefined> {
  if (api?.socket !== undefined) {
    await refuseSecond(api.socket);
    return api.socket;
  }
  try {
    await refuseSecond(SPEAKER_SOCKET);
    return SPEAKER_SOCKET;
  } catch {
    log.warn("another speaker answers on the usual socket; this one has none: set api.socket", {
      socket: SPEAKER_SOCKET,
    });
    return undefined;
  }
}

function httpOf({ api }: SpeakerConfig): { host: string; port: number } | undefined {
  const { http = "off" } = api ?? {};
  if (http === "off") return undefined;
  const at = http.lastIndexOf(":");
  return { host: http.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(http.slice(at + 1)) };
}

function viewOf(routing: Routing, routerId: Address, version: string, config: () => SpeakerConfig): SpeakerView {
  const startedAt = new Date().toISOString();
  const wall = (monotonic: number) => new Date(routing.wall(monotonic)).toISOString();
  const types = new Map<string, string>();
  return {
    routing,
    version,
    notReady: () => routing.notReady(),
    status() {
      const { neighbors } = routing.speaker;
      const notReady = routing.notReady();
      return {
        program: "speaker",
        asNumber: config().asNumber,
        routerID: routerId.join("."),
        ready: notReady.length === 0,
        notReady,
        problems: routing.listeners.problems,
        startedAt,
        peers: neighbors.map((neighbor) => peerStatus(neighbor, types, wall)),
        networks: config().networks ?? [],
        routes: { installed: routing.kernel?.installed ?? 0 },
      };
    },
  };
}
