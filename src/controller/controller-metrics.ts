/** The controller's own figures, read at the moment of the scrape. */
import type { Metric, Sample } from "../telemetry/exposition.ts";
import type { ActiveController } from "./active.ts";
import { REFLECTED } from "./custom-resources.ts";

export function controllerMetrics(controller: ActiveController, version: string): Metric[] {
  const { standing, reflecting, kubernetesNodes } = controller;
  return [
    gauge("overland_controller_info", "Always 1: the version that runs.", [{ labels: { version }, value: 1 }]),
    gauge("overland_controller_active", "1 while this controller is the one that acts.", [
      { value: standing.leads ? 1 : 0 },
    ]),
    gauge(
      "overland_controller_kind_followed",
      "1 while the custom resources of a kind are followed; 0 without its definition, or when the API server is away.",
      reflecting === undefined ? [] : followedSamples(reflecting.problems()),
    ),
    gauge(
      "overland_controller_resources",
      "Custom resources by kind and by what became of them: accepted or refused. Of the active controller.",
      resourceSamples(controller),
    ),
    gauge(
      "overland_controller_behind",
      "1 while something that custom resources say could not be done yet; the log says what.",
      reflecting?.last === undefined ? [] : [{ value: reflecting.trouble === undefined ? 0 : 1 }],
    ),
    gauge(
      "overland_controller_nodes_held_back",
      "1 while so many nodes are missing in Kubernetes at once that nothing is done about them.",
      kubernetesNodes === undefined ? [] : [{ value: kubernetesNodes.heldBack === undefined ? 0 : 1 }],
    ),
    gauge(
      "overland_controller_resources_waiting",
      "Resources that were deleted and go once nobody needs them, such as pools with addresses in use.",
      sizes(reflecting?.last?.waiting),
    ),
    gauge(
      "overland_controller_resources_orphaned",
      "Resources in etcd that came from Kubernetes, have no custom resource, and were never deleted.",
      sizes(reflecting?.last?.orphans),
    ),
  ];
}

function followedSamples(problems: ReadonlyMap<string, string>): Sample[] {
  return REFLECTED.map((kind) => ({ labels: { kind }, value: problems.has(kind) ? 0 : 1 }));
}

function resourceSamples({ reflecting }: ActiveController): Sample[] {
  const last = reflecting?.last;
  if (last === undefined) return [];
  return REFLECTED.flatMap((kind) => {
    const ofKind = last.verdicts.filter((verdict) => verdict.kind === kind);
    const refused = ofKind.filter(({ refusal }) => refusal !== undefined).length;
    return [
      { labels: { kind, outcome: "accepted" }, value: ofKind.length - refused },
      { labels: { kind, outcome: "refused" }, value: refused },
    ];
  });
}

function sizes(found: ReadonlyMap<string, string> | undefined): Sample[] {
  return found === undefined ? [] : [{ value: found.size }];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}
