/** What the process itself costs, under the names that dashboards expect, and how late its event loop runs. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metric } from "./exposition.ts";

const LOOP_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/**
 * The returned function reads the values, and starts loop lag anew. What is never scraped never samples: a timer of
 * some milliseconds would be most of what an idle speaker costs.
 */
export function processMetrics(): () => Metric[] {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  const startedAt = Date.now() / 1000 - process.uptime();
  return () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    // What is measured is the distance of two ticks: what is over the resolution is lag.
    const lag = (ns: number) => Math.max(0, (Number.isFinite(ns) ? ns : 0) / NANOSECONDS - LOOP_RESOLUTION_MS / 1000);
    const lags = [
      { labels: { quantile: "0.5" }, value: lag(delay.percentile(50)) },
      { labels: { quantile: "0.99" }, value: lag(delay.percentile(99)) },
      { labels: { quantile: "1" }, value: lag(delay.max) },
    ];
    delay.reset();
    delay.enable();
    return [
      gauge("process_start_time_seconds", "Start time of the process since the Unix epoch.", startedAt),
      {
        name: "process_cpu_seconds_total",
        type: "counter",
        help: "CPU time spent in user and kernel mode.",
        samples: [{ value: (user + system) / 1e6 }],
      },
      gauge("process_resident_memory_bytes", "Resident memory.", rss),
      gauge("overland_heap_bytes", "Memory in use by JavaScript objects.", heapUsed),
      gauge(
        "overland_buffers_bytes",
        "Memory in use by buffers and typed arrays, the routing tables among them.",
        external,
      ),
      {
        name: "overland_loop_lag_seconds",
        type: "gauge",
        help: "How late the event loop ran since the last scrape, 0 at the first; quantile 1 is the latest of all.",
        samples: lags,
      },
    ];
  };
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, type: "gauge", help, samples: [{ value }] };
}
