import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { expositionText } from "../telemetry/exposition.ts";
import { agentMetrics } from "./agent-metrics.ts";

const at = (phase: "serving" | "waiting", followed: boolean | undefined) =>
  expositionText(
    agentMetrics({
      drain: {
        phase,
        seconds: phase === "serving" ? 0 : 7,
        pods: phase === "serving" ? [] : ["shop/web"],
        podsLeft: 1,
      },
      services: { routes: { 4: 5, 6: 2 }, followed },
      pods: { count: 4, reclaimed: { address: 2, block: 1, interface: 0, pod: 3 } },
    }),
  )
    .split("\n")
    .filter((line) => !line.startsWith("#"));

it("says in which phase of a drain the node is, what it announces for services, and what was taken back", () => {
  const drained = at("waiting", false);
  expect(drained.filter((line) => line.startsWith("overland_drain_phase{"))).toEqual([
    'overland_drain_phase{phase="serving"} 0',
    'overland_drain_phase{phase="announcing"} 0',
    'overland_drain_phase{phase="waiting"} 1',
    'overland_drain_phase{phase="withdrawn"} 0',
    'overland_drain_phase{phase="down"} 0',
  ]);
  expect(drained).toEqual(
    expect.arrayContaining([
      "overland_drain_phase_seconds 7",
      "overland_drain_pods 1",
      "overland_pods 4",
      'overland_service_routes{family="ipv4-unicast"} 5',
      'overland_service_routes{family="ipv6-unicast"} 2',
      "overland_services_followed 0",
      'overland_reclaimed_total{what="address"} 2',
      'overland_reclaimed_total{what="block"} 1',
      'overland_reclaimed_total{what="pod"} 3',
    ]),
  );
  expect(at("serving", undefined)).toEqual(
    expect.arrayContaining(['overland_drain_phase{phase="serving"} 1', "overland_drain_pods 0"]),
  );
  expect(at("serving", undefined).join()).not.toContain("overland_services_followed");
});

it("has what the reference says, no more", () => {
  const text = readFileSync(new URL("../../docs/reference/metrics.md", import.meta.url), "utf8");
  const section = /## The node[\s\S]*?(?=\n## )/.exec(text)?.[0] ?? "";
  const documented = [...section.matchAll(/^\| `(\w+)` \| (gauge|counter) \|/gm)].map(([, name]) => name);
  const found = at("waiting", true).flatMap((line) => /^\w+/.exec(line)?.[0] ?? []);
  expect([...new Set(found)]).toEqual(documented);
});
