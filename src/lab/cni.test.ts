import { describe, expect, it } from "@jest/globals";
import { cniEnvironment, networkConfiguration, readCniError, readCniResult } from "./cni.ts";

describe("the container runtime's side of CNI", () => {
  it("hands the node's own socket and state directory to the plugin", () => {
    expect(JSON.parse(networkConfiguration("/run/a.sock", "/var/lib/a"))).toEqual({
      cniVersion: "1.1.0",
      name: "overland",
      type: "overland",
      socket: "/run/a.sock",
      stateDir: "/var/lib/a",
    });
  });

  it("names the pod as a kubelet does", () => {
    const environment = cniEnvironment({
      command: "ADD",
      containerID: "c1",
      netns: "/run/netns/p",
      pod: "web",
      pluginDirectory: "/opt",
    });
    expect(environment).toMatchObject({
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "c1",
      CNI_NETNS: "/run/netns/p",
      CNI_PATH: "/opt",
    });
    expect(environment["CNI_ARGS"]).toContain("K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  });

  it("reads addresses without length and the interface on the host", () => {
    const answer = JSON.stringify({
      interfaces: [{ name: "ovl0123456789a" }, { name: "eth0", sandbox: "/run/netns/p" }],
      ips: [{ address: "10.244.0.1/32" }, { address: "fd00:244::1/128" }],
    });
    expect(readCniResult(answer)).toEqual({
      addresses: ["10.244.0.1", "fd00:244::1"],
      hostInterface: "ovl0123456789a",
    });
    expect(readCniResult("{}")).toEqual({ addresses: [], hostInterface: "" });
  });

  it("puts an error object into one line, and whatever else was printed too", () => {
    expect(readCniError('{"code":11,"msg":"agent away","details":"x"}')).toBe("CNI error 11: agent away: x");
    expect(readCniError("Segmentation fault\n")).toBe("Segmentation fault");
    expect(readCniError("")).toBe("no answer");
  });
});
