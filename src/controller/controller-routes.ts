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
    "GET /metrics": async () => {
      // With etcd away its figures are not known; that is no reason to say nothing.
      const ipam = await controller.ipamMetrics().catch(() => []);
      const metrics = [...controllerMetrics(controller, version), ...ipam, ...process()];
      return { status: 200, body: expositionText(metrics), type: EXPOSITION_TYPE };
    },
  };
}
