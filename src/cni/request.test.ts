import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { CniFault } from "./fault.ts";
import { readRequest, versionOf } from "./request.ts";

const ENV = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/p", CNI_IFNAME: "eth0" };
const CONFIG = { cniVersion: "1.1.0", name: "overland", type: "overland" };

function message(stdin: string, env: Record<string, string> = ENV): Uint8Array {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  return new TextEncoder().encode(`${variables.join("")}\0${stdin}`);
}

function faultOf(body: Uint8Array): string {
  try {
    readRequest(body);
    return "fine";
  } catch (error) {
    const { code, message: text, details } = error as CniFault;
    return `${code}: ${text}${details === "" ? "" : ` (${details})`}`;
  }
}

describe("a CNI request", () => {
  it("is read", () => {
    const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0";
    const ipam = {
      type: "overland-ipam",
      assign_ipv4: "true",
      assign_ipv6: true,
      ipv4_pools: ["a"],
      ipv6_pools: ["b"],
    };
    const request = readRequest(message(JSON.stringify({ ...CONFIG, mtu: 1400, ipam }), { ...ENV, CNI_ARGS: args }));
    expect(request).toMatchObject({ command: "ADD", containerID: "c1", netns: "/run/netns/p", ifName: "eth0" });
    expect(request.args.get("K8S_POD_NAME")).toBe("web-0");
    expect(request.config).toMatchObject({
      name: "overland",
      mtu: 1400,
      families: [4, 6],
      pools: { 4: ["a"], 6: ["b"] },
    });
  });

  it.each<[string, object, unknown]>([
    ["nothing is said", {}, undefined],
    ["only IPv6 is asked for", { assign_ipv6: true }, [4, 6]],
    ["IPv4 is declined", { assign_ipv4: false, assign_ipv6: true }, [6]],
    ["only IPv4 is asked for", { assign_ipv4: true }, [4]],
  ])("families where %s", (_name, ipam, families) => {
    expect(readRequest(message(JSON.stringify({ ...CONFIG, ipam }))).config.families).toEqual(families);
  });

  it.each<[string, string, string]>([
    ["stdin is empty", "", "6: the network configuration on stdin is empty"],
    ["stdin is no JSON", "{", "6: the network configuration is not JSON"],
    ["stdin is a list", "[]", "6: the network configuration is not a JSON object"],
    ["stdin is null", "null", "6: the network configuration is not a JSON object"],
    ["cniVersion is missing", '{"name":"n"}', "1: cniVersion is missing (supported: 0.3.1, 0.4.0, 1.0.0, 1.1.0)"],
    ["cniVersion is unknown", '{"cniVersion":"9.0.0","name":"n"}', '1: cniVersion "9.0.0" is not supported'],
    ["the name is missing", '{"cniVersion":"1.0.0"}', "7: name undefined is not a network name"],
    ["the name is a path", '{"cniVersion":"1.0.0","name":"../x"}', '7: name "../x" is not a network name'],
    [
      "the MTU is a word",
      '{"cniVersion":"1.0.0","name":"n","mtu":"big"}',
      '7: mtu "big" is not a number from 0 to 65535',
    ],
    [
      "another IPAM is named",
      '{"cniVersion":"1.0.0","name":"n","ipam":{"type":"host-local"}}',
      '7: ipam.type "host-local" is not',
    ],
    [
      "no family is wanted",
      '{"cniVersion":"1.0.0","name":"n","ipam":{"assign_ipv4":false}}',
      "7: ipam.assign_ipv4 and",
    ],
    [
      "pools are a string",
      '{"cniVersion":"1.0.0","name":"n","ipam":{"ipv4_pools":"a"}}',
      "7: ipam.ipv4_pools is not a list",
    ],
  ])("where %s", (_name, stdin, fault) => {
    expect(faultOf(message(stdin))).toContain(fault);
  });

  it.each<[string, Record<string, string>, string]>([
    ["no command", {}, "4: CNI_COMMAND is not set"],
    ["an unknown command", { CNI_COMMAND: "PAT" }, '4: CNI_COMMAND "PAT" is unknown (known commands: ADD, DEL'],
    ["no container", { ...ENV, CNI_CONTAINERID: "" }, '4: CNI_CONTAINERID "" is not letters'],
    ["a container with a slash", { ...ENV, CNI_CONTAINERID: "a/b" }, '4: CNI_CONTAINERID "a/b" is not letters'],
    ["a container that is a dot", { ...ENV, CNI_CONTAINERID: ".." }, '4: CNI_CONTAINERID ".." is not letters'],
    ["no interface", { ...ENV, CNI_IFNAME: "" }, '4: CNI_IFNAME "" is no interface name'],
    ["an interface of 16 characters", { ...ENV, CNI_IFNAME: "e".repeat(16) }, "is no interface name"],
    ["an interface that is a dot", { ...ENV, CNI_IFNAME: "." }, '4: CNI_IFNAME "." is no interface name'],
    ["no namespace on ADD", { ...ENV, CNI_NETNS: "" }, "4: CNI_NETNS is not set"],
  ])("with %s", (_name, env, fault) => {
    expect(faultOf(message(JSON.stringify(CONFIG), env))).toContain(fault);
  });

  it("DEL needs no namespace", () => {
    expect(faultOf(message(JSON.stringify(CONFIG), { ...ENV, CNI_COMMAND: "DEL", CNI_NETNS: "" }))).toBe("fine");
  });

  it("is answered in its own version where that can be read", () => {
    expect(versionOf('{"cniVersion":"0.4.0"}')).toBe("0.4.0");
    expect([versionOf("null"), versionOf("{"), versionOf('{"cniVersion":7}')]).toEqual(["1.1.0", "1.1.0", "1.1.0"]);
  });

  it("whatever comes, is a request or a CNI fault", () => {
    const start = message(JSON.stringify(CONFIG));
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((stdin) => message(stdin)),
      fc.tuple(fc.nat({ max: start.length - 1 }), fc.nat({ max: 255 })).map(([at, octet]) => start.with(at, octet)),
    );
    fc.assert(
      fc.property(any, (body) => {
        try {
          readRequest(body);
        } catch (error) {
          expect((error as CniFault).name).toBe("CniFault");
        }
      }),
      { numRuns: 500 },
    );
  });
});
