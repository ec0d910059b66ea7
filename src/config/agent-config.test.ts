import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { type ConfigSources, readAgentConfig, readClientConfig } from "./agent-config.ts";
import { SETTINGS } from "./agent-settings.ts";

const ETCD = "etcd: {endpoints: ['http://10.1.1.1:2379']}\n";

function read(text: string, more: Partial<ConfigSources> = {}) {
  return readAgentConfig({ flags: {}, env: {}, hostname: "Host-1", file: { name: "a.yaml", text }, ...more });
}

function configOf(text: string, more: Partial<ConfigSources> = {}) {
  const result = read(text, more);
  if ("faults" in result) throw new Error(result.faults.join("\n"));
  return result.config;
}

describe("the agent's configuration", () => {
  it("needs nothing but etcd", () => {
    expect(configOf(ETCD)).toEqual({
      nodeName: "host-1",
      ipv4Address: { kind: "detected", method: { kind: "first-found" } },
      ipv6Address: { kind: "detected", method: { kind: "first-found" } },
      socket: "/run/overland/agent.sock",
      stateDir: "/var/lib/overland",
      http: { host: "127.0.0.1", port: 9179 },
      etcd: { endpoints: ["http://10.1.1.1:2379"] },
      labels: {},
      reclaim: { graceMs: 60_000, intervalMs: 180_000, blockIdleMs: 300_000 },
      log: { level: "info", levelGiven: false },
    });
  });

  it("knows its cluster by being a pod, or by a kubeconfig", () => {
    const pod = { env: { KUBERNETES_SERVICE_HOST: "10.96.0.1" } };
    expect(configOf(ETCD).kubernetes).toBeUndefined();
    expect(configOf(ETCD, pod).kubernetes).toEqual({});
    expect(configOf(ETCD, { env: { ...pod.env, POD_NAMESPACE: "net" } }).kubernetes).toEqual({ namespace: "net" });
    expect(configOf(`${ETCD}kubernetes: {kubeconfig: /etc/k}`).kubernetes).toEqual({ kubeconfig: "/etc/k" });
    expect(configOf(`${ETCD}kubernetes: {kubeconfig: "off"}`, pod).kubernetes).toBeUndefined();
    expect(read(ETCD, { env: { OVERLAND_KUBERNETES_NAMESPACE: "Net!" } })).toEqual({
      faults: ['$OVERLAND_KUBERNETES_NAMESPACE: "Net!" is not a namespace\'s name'],
    });
  });

  it("may say everything", () => {
    const config = configOf(`nodeName: rack1-node1
socket: /run/o.sock
stateDir: /var/o
http: "[::1]:80"
etcd:
  endpoints: [https://a:2379, https://b:2379]
  caCertFile: /ca
  certFile: /cert
  keyFile: /key
  username: u
  password: p
labels: {rack: rack-1}
ipv4Address: 10.10.1.11/24
ipv6Address: fd00:10:1::11/64
asNumber: "1.1"
reclaim: {grace: 30s, interval: 1m, blockIdle: 1h}
log: {level: debug, file: /var/log/o}
`);
    const { ipv4Address, ipv6Address, ...rest } = config;
    expect([ipv4Address, ipv6Address].map((one) => one.kind === "given" && formatPrefix(one as Prefix))).toEqual([
      "10.10.1.11/24",
      "fd00:10:1::11/64",
    ]);
    expect(rest).toEqual({
      nodeName: "rack1-node1",
      socket: "/run/o.sock",
      stateDir: "/var/o",
      http: { host: "::1", port: 80 },
      etcd: {
        endpoints: ["https://a:2379", "https://b:2379"],
        caCertFile: "/ca",
        certFile: "/cert",
        keyFile: "/key",
        username: "u",
        password: "p",
      },
      labels: { rack: "rack-1" },
      asNumber: 65537,
      reclaim: { graceMs: 30_000, intervalMs: 60_000, blockIdleMs: 3_600_000 },
      log: { level: "debug", levelGiven: true, file: "/var/log/o" },
    });
    expect(configOf(`${ETCD}http: "off"\n`)).not.toHaveProperty("http");
  });

  it("takes flags before variables before the file", () => {
    const file = `${ETCD}nodeName: file\nlog: {level: warn, file: /f}\n`;
    const env = {
      NODENAME: "env",
      OVERLAND_LOG_LEVEL: "error",
      ETCD_ENDPOINTS: "http://e:1, http://f:2",
      OVERLAND_HTTP: "",
    };
    expect(configOf(file)).toMatchObject({ nodeName: "file", log: { level: "warn", file: "/f" } });
    expect(configOf(file, { env })).toMatchObject({
      nodeName: "env",
      log: { level: "error", file: "/f" },
      etcd: { endpoints: ["http://e:1", "http://f:2"] },
      http: { port: 9179 },
    });
    expect(configOf(file, { env: { ...env, OVERLAND_NODE_NAME: "own" } }).nodeName).toBe("own");
    const flags = { nodeName: "flag", "log.level": "debug", labels: "a=b,c=", asNumber: "65001" };
    expect(configOf(file, { env, flags })).toMatchObject({
      nodeName: "flag",
      log: { level: "debug" },
      labels: { a: "b", c: "" },
      asNumber: 65001,
    });
  });

  it("finds the node's addresses as Calico's variables say", () => {
    const detected = (env: Record<string, string>) => {
      const { ipv4Address, ipv6Address } = configOf(ETCD, { env });
      return [ipv4Address, ipv6Address];
    };
    const firstFound = { kind: "detected", method: { kind: "first-found" } };
    expect(detected({})).toEqual([firstFound, firstFound]);
    expect(detected({ IP: "autodetect", IP6: "none" })).toEqual([firstFound, { kind: "none" }]);
    expect(detected({ IP: "10.0.0.1", IP_AUTODETECTION_METHOD: "first-found" })[0]).toEqual({
      kind: "given",
      address: addressOf("10.0.0.1"),
    });
    expect(
      detected({ IP_AUTODETECTION_METHOD: "interface=eth.*,bond0", IP6_AUTODETECTION_METHOD: "cidr=fd00::/8" }),
    ).toEqual([
      { kind: "detected", method: { kind: "interface", names: [/eth.*/, /bond0/] } },
      { kind: "detected", method: { kind: "cidr", prefixes: [prefixOf("fd00::/8")] } },
    ]);
    expect(detected({ IP_AUTODETECTION_METHOD: "can-reach=www.example.com" })[0]).toEqual({
      kind: "detected",
      method: { kind: "can-reach", destination: "www.example.com" },
    });
    const { asNumber, routerID } = configOf(ETCD, { env: { AS: "65001", CALICO_ROUTER_ID: "10.9.9.9" } });
    expect([asNumber, routerID]).toEqual([65001, addressOf("10.9.9.9")]);
    expect(configOf(ETCD, { env: { CALICO_ROUTER_ID: "hash" } }).routerID).toBe("hash");
  });

  it.each([
    ["first", "is not one of first-found, can-reach=DESTINATION"],
    ["first-found=eth0", "first-found takes no value; write first-found alone"],
    ["can-reach", "can-reach needs an address or a name"],
    ["interface=eth0,", "interface needs names"],
    ["skip-interface=eth(", "skip-interface: Invalid regular expression"],
    ["cidr=10.0.0.1/8", "cidr: 10.0.0.1/8 has host bits set; did you mean 10.0.0.0/8?"],
  ])("refuses the method %s", (method, why) => {
    const result = read(ETCD, { env: { IP_AUTODETECTION_METHOD: method } });
    expect("faults" in result ? result.faults : []).toEqual([expect.stringContaining(why)]);
    expect("faults" in result ? result.faults[0] : "").toMatch(/^\$IP_AUTODETECTION_METHOD: /);
  });

  it("names the source, the line and the field of every fault at once", () => {
    const file = `nodeName: Rack_1
sockets: /x
socket: x
etcd:
  endpoints: [10.1.1.1:2379]
log: {level: loud}
labels: [a]
`;
    const sources = {
      env: { OVERLAND_AS_NUMBER: "0" },
      flags: { ipv4Address: "10.0.0", http: "9179", ipv6Address: "10.0.0.1/8", routerID: "0.0.0.0" },
    };
    const result = read(file, sources);
    expect("faults" in result ? [...result.faults].sort() : []).toEqual([
      '$OVERLAND_AS_NUMBER: 0 is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535',
      '--http: "9179" is not an address and a port such as 127.0.0.1:9179 or [::1]:9179, nor "off"',
      '--ipv4-address: "10.0.0" is not an address with its prefix length such as 10.10.1.11/24; ' +
        'nor "autodetect" or "none"',
      '--ipv6-address: "10.0.0.1/8" is not an IPv6 address; expected one such as fd00:10:1::11/64; ' +
        'nor "autodetect" or "none"',
      '--router-id: "0.0.0.0" is not a router ID: four octets such as 10.0.0.1, or "hash" to make one of the node\'s name',
      'a.yaml:1: nodeName: "Rack_1" is not a name: lower-case letters, ' +
        'digits, "-" and ".", starting and ending with a letter or digit',
      "a.yaml:2: sockets: unknown field; did you mean socket?",
      'a.yaml:3: socket: "x" is not an absolute path',
      'a.yaml:5: etcd.endpoints[0]: "10.1.1.1:2379" is not an etcd endpoint such as http://10.1.1.1:2379',
      'a.yaml:6: log.level: "loud" is not one of debug, info, warn, error',
      'a.yaml:7: labels: expected a map, found ["a"]',
    ]);
  });

  it.each([
    [
      "",
      {},
      [
        "no etcd endpoint is known: give --etcd-endpoints, $ETCD_ENDPOINTS, " +
          "or etcd.endpoints in /etc/overland/agent.yaml",
      ],
    ],
    [
      ETCD,
      { hostname: "my_host" },
      [`the machine's name "my_host" cannot be a node's name; give --node-name or $NODENAME`],
    ],
    [`${ETCD}---\na: 1\n`, {}, ["a.yaml:3: holds a second document; one is expected"]],
    ["- 1\n", {}, ["a.yaml:1: expected settings (a map), found [1]"]],
    ["a: [\n", {}, [expect.stringMatching(/^a\.yaml:\d: not YAML: /)]],
    [ETCD, { flags: { labels: "a" } }, ['--labels: expected a map, found "a"']],
    [
      ETCD,
      { flags: { socket: `/${"x".repeat(107)}` } },
      [expect.stringMatching(/108 octets long; a unix socket's path has at most 107$/)],
    ],
    [
      "etcd: {endpoints: ['http://u:p@h:1']}\n",
      {},
      ["a.yaml:1: etcd.endpoints[0]: holds a user name; use etcd.username and etcd.password"],
    ],
  ])("refuses %j with %j", (text, more, faults) => {
    const result = read(text, more);
    expect("faults" in result ? result.faults : []).toEqual(faults);
  });

  it("has a flag and a variable for every setting, none of them twice", () => {
    const flags = SETTINGS.map(({ flag }) => flag);
    const variables = SETTINGS.flatMap(({ env }) => env);
    expect(new Set(flags).size).toBe(flags.length);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toEqual(
      expect.arrayContaining(["NODENAME", "ETCD_ENDPOINTS", "ETCD_CA_CERT_FILE", "ETCD_PASSWORD"]),
    );
  });

  it("tells an operator's commands where etcd and the agent are", () => {
    const env = { OVERLAND_SOCKET: "/run/x.sock" };
    expect(readClientConfig({ flags: {}, env })).toEqual({ config: { etcd: undefined, socket: "/run/x.sock" } });
    const file = { name: "a.yaml", text: ETCD };
    expect(readClientConfig({ flags: {}, env: {}, file })).toEqual({
      config: { etcd: { endpoints: ["http://10.1.1.1:2379"] }, socket: "/run/overland/agent.sock" },
    });
  });
});
