/**
 * The composition root: the one place that knows every part of the agent and says who tells whom.
 *
 *   resources (etcd) ── peers, pools, labels ──> routing, pods, packet rules
 *   Services, EndpointSlices (Kubernetes) ──> services ── addresses ──> routing: networks to announce
 *   pods ── blocks, borrowed addresses ──> routing: networks to announce, blackholes
 *   CNI plugin ── ADD, DEL, CHECK ──> pods          operators ── status, routes ──> all
 *
 * Start: the API answers first, not ready. Sessions start once the node's own blocks and the services are known, so
 * that the first thing the peers hear is everything.
 */

import type { Server } from "node:http";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import type { Address } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { type Routes, refuseSecond, serveHttp, serveSocket } from "../api/server.ts";
import type { Cluster } from "../cluster/port.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { NodeConfig } from "../config/resolve.ts";
import { allServiceRanges } from "../config/services.ts";
import { listLinks } from "../kernel/links.ts";
import { warmUpPodWiring } from "../kernel/pod-wiring.ts";
import { enableForwarding } from "../kernel/sysctl.ts";
import { giveBackWhenQuiet } from "../speaker/give-back.ts";
import type { Listen } from "../speaker/listeners.ts";
import { Routing } from "../speaker/routing.ts";
import { speakerRoutes } from "../speaker/speaker-routes.ts";
import { type Log, openLog } from "../telemetry/log.ts";
import { KERNEL_PORTS } from "./address-detection.ts";
import { agentMetrics } from "./agent-metrics.ts";
import { Configuration, type Configured } from "./configuration.ts";
import { DialedAddresses } from "./dialed-addresses.ts";
import { drainRoutes } from "./drain-routes.ts";
import { Handover } from "./handover.ts";
import { firstLook, followKubernetes, kubernetesSays, lastLook, movablePods } from "./kubernetes.ts";
import { LocalWorkloads } from "./local-workloads.ts";
import { NetworkListFile } from "./network-list-file.ts";
import { NodeDrain } from "./node-drain.ts";
import { originate } from "./originate.ts";
import { NodePacketRules } from "./packet-rules.ts";
import { Passwords } from "./passwords.ts";
import { PeerRoutes } from "./peer-routes.ts";
import { peerConfigs, speakerSettings } from "./peers.ts";
import { Pods } from "./pods.ts";
import { servicePages } from "./service-pages.ts";
import { ServiceRoutes } from "./services.ts";
import { nodeStatus } from "./status.ts";

/** Between two looks at whether sessions that nobody asks for may go. */
const HANDOVER_LOOK_MS = 500;

export interface Agent {
  /** Leaves kernel routes, pods and, but on a machine that goes down, the peers' memory of us as they are. */
  stop(): Promise<void>;
}

/** Throws with a sentence for the operator when this machine or its configuration cannot run an agent. */
export async function startAgent(config: AgentConfig, version: string): Promise<Agent> {
  const log = openLog({ level: config.log.level, ...(config.log.file === undefined ? {} : { file: config.log.file }) });
  log.info("overland agent starts", { node: config.nodeName, pid: process.pid, node_version: process.version });
  await refuseSecond(config.socket);
  enableForwarding();
  await warmUpPodWiring();
  const parts = assemble(config, log, version, await clusterOf(config, log));
  const servers: Server[] = [];
  try {
    servers.push(await serveSocket(config.socket, parts.socketRoutes));
    if (config.http !== undefined) servers.push(await serveHttp(config.http.host, config.http.port, parts.httpRoutes));
  } catch (error) {
    for (const server of servers) server.close();
    await parts.stop();
    throw error;
  }
  const stopGivingBack = giveBackWhenQuiet();
  void parts.run().catch((error: unknown) => log.error("start failed", { error }));
  return {
    async stop() {
      const goodbye = await parts.lastLook();
      log.info(goodbye ? "overland agent stops with the machine" : "overland agent stops; routes and pods stay");
      stopGivingBack();
      for (const server of servers) server.close();
      // A pod half made is work for the runtime and for the next agent; one more moment and it is whole.
      await parts.quiet();
      for (const server of servers) server.closeAllConnections();
      await parts.stop();
      await log.close();
    },
  };
}

/** Loaded only where there is one: an agent without Kubernetes has no use for the memory. */
async function clusterOf({ kubernetes }: AgentConfig, log: Log): Promise<Cluster | undefined> {
  if (kubernetes === undefined) return undefined;
  const { openCluster } = await import("../cluster/open.ts");
  const part = log.child({ part: "kubernetes" });
  return openCluster({ ...kubernetes, warn: (message, about) => part.warn(message, about) });
}

function assemble(config: AgentConfig, log: Log, version: string, cluster: Cluster | undefined) {
  const startedAt = new Date().toISOString();
  const store = openEtcdStore(config.etcd);
  const routing = new Routing({
    log: log.child({ part: "bgp" }),
    install: true,
    listenCure: "set listenPort in BGPConfiguration",
  });
  const packetRules = new NodePacketRules(log);
  const networkList = new NetworkListFile(config.cni, log.child({ part: "cni" }));
  let loaded = false;
  // Sessions wait for the blocks: a peer must not hear of an empty node first, and drop what it kept for us.
  const announce = () => {
    const { current } = configuration;
    if (current === undefined || !loaded) return;
    routing.announce(drain.announced(originate(pods.allocator.blocks(), pods.addresses(), current.pools)));
  };
  const update = () => {
    announce();
    const { current } = configuration;
    if (current === undefined || !loaded || !services.settled) return;
    const node = localWorkloads.of(current.node);
    routing.attach(localWorkloads.ways);
    dialed.set(Object.values(node.local?.addresses ?? {}));
    passwords.follow(node.peers);
    routing.configure(speakerSettings(node));
    tellPeers(node, handover.peers(node, routing.speaker, performance.now()));
  };
  const tellPeers = (node: NodeConfig, peers: readonly PeerConfig[]) => {
    routing.setPeers(drain.peers(peers), [], listens(node, dialed.there));
    drain.holdDown();
    clearTimeout(again);
    if (!handover.pending) return;
    const look = () => tellPeers(node, handover.again(node, routing.speaker, performance.now()));
    again = setTimeout(look, HANDOVER_LOOK_MS).unref();
  };
  const handover = new Handover((node) =>
    peerConfigs(
      node,
      (key) => passwords.of(key),
      () => listLinks(),
    ),
  );
  const peerRoutes = new PeerRoutes();
  let again: NodeJS.Timeout | undefined;
  const passwords = new Passwords({
    cluster,
    file: `${config.socket}.passwords`,
    log: log.child({ part: "bgp" }),
    changed: update,
  });
  const drain = new NodeDrain({
    log: log.child({ part: "drain" }),
    neighbors: () => routing.speaker.neighbors,
    tell: (fact) => routing.tell(fact),
    pods: () => movablePods(pods.attachments(), kubernetes?.pods),
    changed() {
      const { current } = configuration;
      if (current !== undefined) configureServices(current);
      update();
    },
  });
  const kubernetes = followKubernetes(cluster, {
    store,
    nodeName: config.nodeName,
    log: log.child({ part: "kubernetes" }),
    changed(node) {
      configuration.setKubernetesNode(node);
      drain.setNode(node === "absent" ? undefined : node);
    },
    podsChanged: () => localWorkloads.look(),
    facts: () => ({ ready: notReady().length === 0, leaving: drain.leaving, ...sessions(routing) }),
  });
  const kubernetesPods = kubernetes?.pods;
  const runDir = dirname(config.socket);
  const pods = new Pods({
    ...config,
    runDir,
    kubernetesPods,
    store,
    log: log.child({ part: "cni" }),
    changed: announce,
    podsChanged: () => localWorkloads.look(),
  });
  const localWorkloads = new LocalWorkloads({
    kubernetesPods,
    attachments: () => pods.attachments(),
    links: () => listLinks(),
    file: `${config.socket}.local-workloads`,
    log: log.child({ part: "bgp" }),
    changed: update,
  });
  const dialed = new DialedAddresses({ file: `${config.socket}.dialed-addresses`, log: log.child({ part: "bgp" }) });
  const services = new ServiceRoutes({
    ...config,
    cluster,
    log: log.child({ part: "services" }),
    announce: ({ announced, withdrawn }) => routing.announceBeside(announced, withdrawn),
    settled: () => update(),
  });
  const configureServices = (configured: Configured) => {
    services.configure(configured, drain.servicesWithdrawn);
    packetRules.set(configured, drain.servicesWithdrawn);
  };
  const configuration = new Configuration({
    config,
    store,
    log: log.child({ part: "config" }),
    ports: KERNEL_PORTS,
    changed(configured) {
      pods.configure(configured);
      routing.leaveAlone(allServiceRanges(configured.node.services));
      configureServices(configured);
      passwords.follow(localWorkloads.of(configured.node).peers);
      peerRoutes.set(configured.node.peers);
      update();
    },
  });
  const notReady = () =>
    [kubernetesSays(kubernetes), configuration, pods, services].flatMap((it) => it.notReady).concat(routing.notReady());
  const status = () =>
    nodeStatus({
      node: config.nodeName,
      config: localWorkloads.node,
      startedAt,
      notReady: notReady(),
      kept: handover.types(),
      problems: [configuration, passwords, peerRoutes, localWorkloads, dialed, packetRules, pods, networkList, services]
        .flatMap(({ problems }) => problems)
        .concat(handover.problems(performance.now()), kubernetesSays(kubernetes).problems),
      drain: drain.status(pods.count),
      neighbors: routing.speaker.neighbors,
      blocks: pods.allocator.blocks().map(({ cidr }) => cidr),
      pods: pods.count,
      installed: routing.kernel?.installed ?? 0,
      wall: (monotonic) => new Date(routing.wall(monotonic)).toISOString(),
    });
  const metrics = () => agentMetrics({ drain: drain.status(pods.count), services: services.announced, pods });
  const routes = speakerRoutes({ routing, version, status, notReady, metrics });
  return {
    socketRoutes: {
      ...servicePages(services, routes.socket),
      ...drainRoutes({ node: config.nodeName, drain, podsLeft: () => pods.count }),
      "POST /cni": async (body: Uint8Array) => {
        const { ok, output } = await pods.serve(body);
        return { status: ok ? 200 : 500, body: output };
      },
    } satisfies Routes,
    httpRoutes: routes.http,
    async run() {
      await firstLook(kubernetes);
      await configuration.start();
      await pods.start();
      drain.start();
      loaded = true;
      log.info("address blocks read", { blocks: pods.allocator.blocks().map(({ cidr }) => formatPrefix(cidr)) });
      update();
      kubernetes?.node.start();
      networkList.write();
    },
    lastLook: () => lastLook(kubernetes),
    async quiet() {
      await Promise.all([pods.quiet(), drain.stop()]);
      // The last answers go out.
      await setImmediate();
    },
    async stop() {
      configuration.stop();
      networkList.stop();
      clearTimeout(again);
      peerRoutes.stop();
      passwords.stop();
      pods.stop();
      services.stop();
      kubernetes?.claim.stop();
      await kubernetes?.node.stop();
      kubernetes?.pods.stop();
      cluster?.close();
      await routing.stop();
      await store.close();
    },
  };
}

function sessions({ speaker: { neighbors } }: Routing) {
  return { peers: neighbors.length, established: neighbors.filter(({ peer }) => peer.session !== undefined).length };
}

function listens({ bindMode, listenPort: port, ipv4, ipv6 }: NodeConfig, dialed: readonly Address[]): Listen[] {
  if (bindMode === "None") return [{ port }];
  const own = [ipv4?.address, ipv6?.address, ...dialed];
  return own.flatMap((address) => (address === undefined ? [] : [{ address: { address }, port }]));
}
