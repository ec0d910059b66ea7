import { describe, expect, it } from "@jest/globals";
import { readNodeAnnotations } from "./node-annotations.ts";

describe("annotations of a Kubernetes Node", () => {
  it("are Overland's or Calico's; Overland's count", () => {
    const calico = {
      "projectcalico.org/ASNumber": "65001",
      "projectcalico.org/RouteReflectorClusterID": "244.0.0.1",
      "projectcalico.org/IPv4Address": "10.1.1.7/24",
      "projectcalico.org/IPv6Address": "fd00::7/64",
      "projectcalico.org/IPv4IPIPTunnelAddr": "10.244.0.1",
    };
    const read = { asNumber: 65001, clusterID: "244.0.0.1", ipv4Address: "10.1.1.7/24", ipv6Address: "fd00::7/64" };
    expect(readNodeAnnotations(calico)).toEqual({ ...read, problems: [] });
    expect(readNodeAnnotations({ ...calico, "overland.dev/as-number": "1.10" }).asNumber).toBe(65546);
  });

  it.each([
    ["true", "drain"],
    ["services", "services"],
    ["false", "nothing"],
  ])("withdraw-on-cordon %s", (text, onCordon) => {
    expect(readNodeAnnotations({ "overland.dev/withdraw-on-cordon": text })).toEqual({ onCordon, problems: [] });
  });

  it.each([
    [
      { "projectcalico.org/ASNumber": "0" },
      /^annotation projectcalico.org\/ASNumber of the .*: "0" is not an AS number/,
    ],
    [
      { "overland.dev/ipv4-address": "fd00::1/64" },
      /ipv4-address of the Kubernetes Node: "fd00::1\/64" is not an IPv4/,
    ],
    [{ "overland.dev/route-reflector-cluster-id": "x" }, /cluster-id .*: "x" is not a cluster ID/],
    [{ "overland.dev/withdraw-on-cordon": "yes" }, /cordon .*: "yes" is not "true", "services" or "false"$/],
  ])("%j is said to be wrong, and counts as absent", (annotations, expected) => {
    expect(readNodeAnnotations(annotations as never)).toEqual({ problems: [expect.stringMatching(expected)] });
  });
});
