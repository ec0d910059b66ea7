/** What the controller answers over HTTP: probes and metrics. */
import type { Routes } from "../api/server.ts";
import { EXPOSITION_TYPE, expositionText } from "../telemetry/exposition.ts";
import { processMetrics } from "../telemetry/process-metrics.ts";
import type { ActiveController } from "./active.ts";
import { controllerMetrics } from "./controller-metrics.ts";

export function controllerRoutes(controller: ActiveController, version: string): Routes {
  const process = processMetrics();
  return {
    "GET /livez": () => ({ status: 200, body: "ok\n" }),
    "GET /readyz": () => {
      const notReady = controller.notReady();
      if (notReady.length > 0) return { status: 503, body: `${notReady.join("\n")}\n` };
      return { status: 200, body: controller.standing.leads ? "ok: active\n" : "ok: standby\n" };
    },
    "GET /metrics": () => ({
      status: 200,
      body: expositionText([...controllerMetrics(controller, version), ...process()]),
      type: EXPOSITION_TYPE,
    }),
  };
}
