/** Real speakers as neighbours: each announces a prefix or two of its own, and can be asked what it hears. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { must } from "../harness/command.ts";
import type { Station } from "./segment.ts";

export interface Daemon {
  readonly name: string;
  /** Its host number; its AS number is 65000 plus that. */
  readonly n: number;
  /** Whether it opens the connection. */
  readonly dials: boolean;
  readonly password?: string;
  readonly ttlSecurity?: boolean;
  /** It knows a next hop for IPv6 routes over an IPv4 session. */
  readonly announcesIpv6?: boolean;
  /** Makes its files; gives the command that runs it in the foreground. */
  configure(station: Station, hub: Station): Promise<readonly string[]>;
  /** What it says about a prefix it should have heard; absent: it only talks. */
  heard?(station: Station, prefix: string): Promise<string>;
}

export const ipv4Of = (n: number) => `198.51.${n}.0/24`;
export const ipv6Of = (n: number) => `2001:db8:${n}::/48`;
const asOf = (n: number) => 65000 + n;
const PASSWORD = "between you and me";

const bird: Daemon = {
  name: "bird",
  n: 2,
  dials: false,
  announcesIpv6: true,
  password: PASSWORD,
  async configure({ base, ipv4 }, hub) {
    writeFileSync(
      `${base}.conf`,
      `router id ${ipv4};
protocol device {}
protocol static { ipv4; route ${ipv4Of(2)} blackhole; }
protocol static { ipv6; route ${ipv6Of(2)} blackhole; }
protocol bgp hub {
  local ${ipv4} as ${asOf(2)}; neighbor ${hub.ipv4} as 65000; passive; password "${PASSWORD}"; graceful restart on;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd88::2; };
}
`,
    );
    return ["bird", "-f", "-R", "-c", `${base}.conf`, "-s", `${base}.ctl`];
  },
  heard: ({ base }, prefix) => must(["birdc", "-s", `${base}.ctl`, "show", "route", prefix, "all"]),
};

const frr: Daemon = {
  name: "frr",
  n: 3,
  dials: true,
  ttlSecurity: true,
  async configure({ base, ipv4 }, hub) {
    mkdirSync(`${base}.vty`, { recursive: true });
    chmodSync(`${base}.vty`, 0o777);
    writeFileSync(
      `${base}.conf`,
      `router bgp ${asOf(3)}
 bgp router-id ${ipv4}
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 neighbor ${hub.ipv4} remote-as 65000
 neighbor ${hub.ipv4} ttl-security hops 1
 address-family ipv4 unicast
  neighbor ${hub.ipv4} activate
  network ${ipv4Of(3)}
 exit-address-family
 address-family ipv6 unicast
  neighbor ${hub.ipv4} activate
  network ${ipv6Of(3)}
 exit-address-family
`,
    );
    const place = ["--vty_socket", `${base}.vty`, "-i", `${base}.pid`, "-f", `${base}.conf`];
    return ["/usr/lib/frr/bgpd", "--no_zebra", "-S", "-u", "root", "-g", "root", ...place, "--log", "stdout"];
  },
  heard: ({ base }, prefix) =>
    must([
      "vtysh",
      "--vty_socket",
      `${base}.vty`,
      "-c",
      `show bgp ${prefix.includes(":") ? "ipv6" : "ipv4"} unicast ${prefix}`,
    ]),
};

const gobgp: Daemon = {
  name: "gobgp",
  n: 4,
  dials: true,
  announcesIpv6: true,
  async configure({ base, ipv4 }, hub) {
    const family = (name: string) =>
      `[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "${name}"\n`;
    writeFileSync(
      `${base}.conf`,
      `[global.config]
as = ${asOf(4)}
router-id = "${ipv4}"
[[neighbors]]
[neighbors.config]
neighbor-address = "${hub.ipv4}"
peer-as = 65000
${family("ipv4-unicast")}${family("ipv6-unicast")}`,
    );
    return ["gobgpd", "-f", `${base}.conf`, "--api-hosts", "127.0.0.1:50051"];
  },
  heard: ({ netns }, prefix) =>
    must(["gobgp", "global", "rib", "-a", prefix.includes(":") ? "ipv6" : "ipv4", prefix], { netns }),
};

/** GoBGP takes routes of its own while it runs only. */
export async function announceFromGobgp({ netns }: Station): Promise<void> {
  await must(["gobgp", "global", "rib", "add", ipv4Of(4)], { netns });
  await must(["gobgp", "global", "rib", "add", "-a", "ipv6", ipv6Of(4), "nexthop", "fd88::4"], { netns });
}

const openbgpd: Daemon = {
  name: "openbgpd",
  n: 5,
  dials: true,
  async configure({ base, ipv4 }, hub) {
    writeFileSync(
      `${base}.conf`,
      `AS ${asOf(5)}
router-id ${ipv4}
socket "${base}.sock"
fib-update no
network ${ipv4Of(5)}
network ${ipv6Of(5)}
neighbor ${hub.ipv4} {
  remote-as 65000
  announce IPv4 unicast
  announce IPv6 unicast
}
allow from any
allow to any
`,
    );
    chmodSync(`${base}.conf`, 0o600);
    // Its privilege separation wants its user's home, which a service manager would have made.
    const passwd = await must(["getent", "passwd", "_openbgpd"]);
    mkdirSync(passwd.split(":")[5] ?? "/run/openbgpd", { recursive: true });
    return ["/usr/sbin/bgpd", "-d", "-f", `${base}.conf`];
  },
  heard: ({ base }, prefix) => must(["bgpctl", "-s", `${base}.sock`, "show", "rib", "detail", prefix]),
};

const exabgp: Daemon = {
  name: "exabgp",
  n: 6,
  dials: true,
  announcesIpv6: true,
  async configure({ base, ipv4, ipv6 }, hub) {
    writeFileSync(
      `${base}.conf`,
      `neighbor ${hub.ipv4} {
  router-id ${ipv4};
  local-address ${ipv4};
  local-as ${asOf(6)};
  peer-as 65000;
  family { ipv4 unicast; ipv6 unicast; }
  static {
    route ${ipv4Of(6)} next-hop ${ipv4};
    route ${ipv6Of(6)} next-hop ${ipv6};
  }
}
`,
    );
    return ["env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp", `${base}.conf`];
  },
};

export const DAEMONS: readonly Daemon[] = [bird, frr, gobgp, openbgpd, exabgp];

/** The other side of all of them. */
export function speakerFile({ base, ipv4 }: Station, networks: readonly string[]): string {
  const peers = DAEMONS.map(
    ({ name, n, dials, password, ttlSecurity }) =>
      `  - {name: ${name}, address: 10.88.0.${n}, asNumber: ${asOf(n)}, passive: ${dials}, connectRetryTime: 2` +
      `${password === undefined ? "" : `, password: "${password}"`}${ttlSecurity === true ? ", ttlSecurity: 1" : ""}}`,
  );
  return `asNumber: 65000
routerID: ${ipv4}
peers:
${peers.join("\n")}
networks: [${networks.join(", ")}]
kernel: {install: false}
api: {socket: ${base}.sock}
`;
}
