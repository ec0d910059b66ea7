/** What agent and speaker alone both answer about BGP: on the socket everything, over HTTP probes and metrics. */
import { routePages } from "../api/pages.ts";
import type { Reply, Routes } from "../api/server.ts";
import type { Metric } from "../telemetry/exposition.ts";
import { processMetrics } from "../telemetry/process-metrics.ts";
import { recordedApi } from "./recorded-api.ts";
import { routeList } from "./route-list.ts";
import type { Routing } from "./routing.ts";

export interface SpeakerView {
  readonly routing: Routing;
  /** Of the program. */
  readonly version: string;
  /** The document of /v1/status. */
  status(): object;
  /** Why the program is not ready, in words. */
  notReady(): readonly string[];
  /** Beside those of the speaker and the process. */
  metrics?(): readonly Metric[];
}

export interface SpeakerRoutes {
  readonly socket: Routes;
  readonly http: Routes;
}

export function speakerRoutes({ routing, version, status, notReady, metrics: more }: SpeakerView): SpeakerRoutes {
  const ofProcess = processMetrics();
  const { kernel, speaker } = routing;
  const { routes, metrics } = recordedApi({
    speaker,
    now: () => performance.now(),
    wall: routing.wall,
    tell: (fact) => routing.tell(fact),
    ends: (connection) => routing.ends(connection),
    version,
    ...(kernel !== undefined && { kernel }),
    otherMetrics: () => [...(more?.() ?? []), ...ofProcess()],
  });
  const probes: Routes = {
    "GET /livez": () => ({ status: 200, body: "ok\n" }),
    "GET /readyz": () => readiness(notReady()),
  };
  return {
    socket: {
      ...probes,
      ...routes,
      "GET /v1/status": () => ({ status: 200, body: status() }),
      "GET /v1/routes": () => {
        const isInstalled = kernel === undefined ? () => false : kernel.isInstalled.bind(kernel);
        return { status: 200, body: routePages(routeList(speaker.rib, isInstalled)) };
      },
    },
    http: { ...probes, ...metrics },
  };
}

function readiness(notReady: readonly string[]): Reply {
  return notReady.length === 0 ? { status: 200, body: "ok\n" } : { status: 503, body: `${notReady.join("\n")}\n` };
}
