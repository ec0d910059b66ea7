/**
 * Everything a recorded speaker answers over HTTP: what bgp.ts of the API has, and what it takes a recorder, a clock
 * and sockets for: recording, capture, MRT, metrics.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Fact } from "../../bgp/facts.ts";
import { Inspection } from "../../bgp/inspect/inspection.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { bgpRoutes, inTurns, onPeer, problem } from "../api/bgp.ts";
import type { Reply, Routes } from "../api/server.ts";
import { bgpMetrics } from "../telemetry/bgp-metrics.ts";
import { EXPOSITION_TYPE, expositionText, type Metric } from "../telemetry/exposition.ts";
import {
  CAPTURE_TYPE,
  type CaptureFormat,
  type CapturePorts,
  CaptureStream,
  type ConnectionEnds,
} from "./capture-stream.ts";
import { mrtDump } from "./mrt-dump.ts";
import type { RecordedSpeaker } from "./recorded-speaker.ts";

export interface RecordedApiPorts {
  readonly speaker: RecordedSpeaker;
  /** The clock that the speaker is told (ms), and its moments as milliseconds since 1970. */
  now(): number;
  wall(monotonic: number): number;
  /** Tells the speaker, and has the work done that follows. */
  tell(fact: Fact): void;
  /** Addresses and ports of a connection. */
  ends(connection: number): ConnectionEnds | undefined;
  /** Of the program. */
  readonly version: string;
  /** Absent: no kernel routes are written. */
  readonly kernel?: {
    readonly installed: number;
    /** Absent: not counted. */
    readonly refused?: number;
    isInstalled(prefix: Prefix): boolean;
  };
  /** Of the process and of other parts of the program. */
  otherMetrics(): readonly Metric[];
}

export interface RecordedApi {
  /** For the socket. */
  readonly routes: Routes;
  /** For the socket and the HTTP address. */
  readonly metrics: Routes;
  readonly inspection: Inspection;
}

export function recordedApi(ports: RecordedApiPorts): RecordedApi {
  const { speaker, now, wall, tell, kernel } = ports;
  const wallText = (monotonic: number) => new Date(wall(monotonic)).toISOString();
  const isInstalled = kernel === undefined ? {} : { isInstalled: (prefix: Prefix) => kernel.isInstalled(prefix) };
  const inspection = new Inspection({ speaker, now, wall: wallText, ...isInstalled });
  const capturing: CapturePorts = { captures: speaker.captures, wall, ends: (connection) => ports.ends(connection) };
  const routes: Routes = {
    ...bgpRoutes({ inspector: inspection, tell: (fact) => tell(fact) }),
    "GET /v1/bgp/peers/:peer/capture": onPeer(inspection, (peer, _body, { query }) =>
      capture(speaker, capturing, peer, query),
    ),
    "POST /v1/bgp/record": () => {
      const clock = { at: now(), wall: wallText(now()) };
      const lines = speaker.recorder.lines({ version: ports.version, clock });
      return { status: 200, type: "application/x-ndjson", body: inPieces(lines) };
    },
    "GET /v1/bgp/mrt": () => {
      const source = { rib: speaker.rib, neighbors: speaker.neighbors, wall };
      return { status: 200, type: "application/octet-stream", body: mrtDump(source, Math.floor(wall(now()) / 1000)) };
    },
  };
  const metrics: Routes = {
    "GET /metrics": async () => ({
      status: 200,
      type: EXPOSITION_TYPE,
      body: expositionText([
        ...bgpMetrics({
          peers: await inTurns(inspection.peerViews()),
          rib: inspection.rib(),
          ...(kernel !== undefined && { forwarding: kernel }),
        }),
        ...ports.otherMetrics(),
      ]),
    }),
  };
  return { routes: { ...routes, ...metrics }, metrics, inspection };
}

function capture(speaker: RecordedSpeaker, ports: CapturePorts, peer: string, query: URLSearchParams): Reply {
  const format = query.get("format") ?? "text";
  if (format !== "text" && format !== "json" && format !== "pcap") {
    return problem(400, `format=${format}: there are text, json and pcap`);
  }
  const neighbor = speaker.neighbors.find((one) => one.peer.config.name === peer);
  const count = numberIn(query, "count");
  const seconds = numberIn(query, "duration");
  if (neighbor === undefined) return problem(404, `there is no peer ${peer}`);
  if (Number.isNaN(count) || Number.isNaN(seconds)) return problem(400, "count and duration are numbers over 0");
  const stream = new CaptureStream(
    {
      neighbor,
      format: format satisfies CaptureFormat,
      ...(count !== undefined && { count }),
      ...(seconds !== undefined && { duration: 1000 * seconds }),
    },
    ports,
  );
  return { status: 200, type: CAPTURE_TYPE[format], body: stream };
}

/** NaN: there is one, but no number over 0. */
function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const number = Number(text);
  return number > 0 ? number : Number.NaN;
}

const PIECE_CHARACTERS = 128 * 1024;

/** Lines joined, with a turn of the event loop between two pieces. */
async function* inPieces(lines: Iterable<string>): AsyncGenerator<string> {
  let piece: string[] = [];
  let length = 0;
  for (const line of lines) {
    piece.push(line);
    length += line.length;
    if (length < PIECE_CHARACTERS) continue;
    yield piece.join("");
    piece = [];
    length = 0;
    await turn();
  }
  if (piece.length > 0) yield piece.join("");
}
