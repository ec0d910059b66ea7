import { describe, expect, it } from "@jest/globals";
import { type Reading, ratios, table } from "./figures.ts";
import type { Figure } from "./load.ts";
import type { Family, Mode } from "./nodes.ts";

const rounds = (family: Family, figure: Figure, values: Readonly<Record<Mode, readonly number[]>>): Reading[] =>
  Object.entries(values).flatMap(([mode, all]) =>
    all.map((value, round) => ({ round, mode: mode as Mode, family, figure, value })),
  );

describe("ratios of the data plane", () => {
  it("are taken round by round, so that a slow round does not count against one way", () => {
    const readings = rounds("ipv4", "transactions", {
      host: [100, 10, 100],
      overland: [80, 8, 80],
      vxlan: [50, 5, 60],
    });
    expect(ratios(readings)).toEqual({
      pod_transactions: 0.8,
      vxlan_transactions: 0.5,
      ours_over_vxlan_transactions: 1.6,
    });
  });

  it("are those of the same round, in whatever order it was measured", () => {
    const readings = rounds("ipv4", "throughput", { host: [10, 20], overland: [10, 20], vxlan: [5, 10] });
    expect(ratios(readings.reverse())).toMatchObject({ pod_throughput: 1, vxlan_throughput: 0.5 });
  });

  it("keep the families apart", () => {
    const readings = [
      ...rounds("ipv4", "latency", { host: [8], overland: [10], vxlan: [16] }),
      ...rounds("ipv6", "latency", { host: [10], overland: [20], vxlan: [40] }),
    ];
    expect(ratios(readings)).toEqual({
      pod_latency: 1.25,
      vxlan_latency: 2,
      ours_over_vxlan_latency: 0.625,
      pod_latency_ipv6: 2,
      vxlan_latency_ipv6: 4,
      ours_over_vxlan_latency_ipv6: 0.5,
    });
  });
});

describe("the table", () => {
  it("shows the median between the least and the most", () => {
    const readings = rounds("ipv4", "throughput", { host: [1e9, 9e9, 2e9], overland: [1e9], vxlan: [1e9] });
    expect(table(readings, ["host", "overland", "vxlan"]).split("\n")).toEqual([
      "                         host           overland       vxlan",
      "ipv4 throughput, Gbit/s  2.0 (1.0-9.0)  1.0 (1.0-1.0)  1.0 (1.0-1.0)",
    ]);
  });
});
