import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { RequestBatch } from "./netlink/batch.ts";
import { type Netlink, NetlinkSocket } from "./netlink/socket.ts";
import { withNetns } from "./netns.ts";
import { hostInterfaceName } from "./pod/wiring.ts";
import { PodNetwork, type PodWiring, warmUpPodWiring } from "./pod-wiring.ts";
import { ip, ipJson, makeTestNetns, pings, removeTestNetns, type TestNetns } from "./testing.ts";

let host: TestNetns;
let pod: TestNetns;
let network: PodNetwork;
let wiring: PodWiring;

beforeEach(() => {
  host = makeTestNetns();
  pod = makeTestNetns();
  ip(host, "addr add 10.1.1.1/32 dev lo");
  ip(host, "addr add fd00:1::1/128 dev lo");
  network = PodNetwork.open({ netns: host.path });
  wiring = {
    netns: pod.path,
    ifName: "eth0",
    hostInterface: hostInterfaceName("default", "web-0", "eth0"),
    addresses: [addressOf("10.244.0.1"), addressOf("fd00:244::1")],
    mtu: 1450,
  };
});

afterEach(() => {
  network.close();
  removeTestNetns(pod);
  removeTestNetns(host);
});

function linkNames(netns: TestNetns): unknown[] {
  return ipJson(netns, "link show").map(({ ifname }) => ifname);
}

/** The code and errno of what the work throws. */
function faultOf(work: () => unknown): { code?: string; errno?: string; message: string } {
  try {
    work();
  } catch (error) {
    return error as { code?: string; errno?: string; message: string };
  }
  throw new Error("nothing was thrown");
}

describe("a wired pod", () => {
  it("answers in both families, and nothing differs from its wiring", () => {
    const wired = network.wire({ ...wiring, mac: "02:00:00:00:00:07" });
    expect(wired).toMatchObject({ hostMac: "ee:ee:ee:ee:ee:ee", podMac: "02:00:00:00:00:07" });
    expect(network.check({ ...wiring, mac: "02:00:00:00:00:07" })).toEqual([]);
    expect(pings(host, "10.244.0.1")).toBe(true);
    expect(pings(host, "fd00:244::1")).toBe(true);
    expect(pings(pod, "10.1.1.1")).toBe(true);
    expect(pings(pod, "fd00:1::1")).toBe(true);
    expect(ipJson(host, "link show").find(({ ifindex }) => ifindex === wired.hostIndex)).toMatchObject({
      ifname: wiring.hostInterface,
      mtu: 1450,
      num_tx_queues: 1,
    });
  });

  it("has no address of the kernel's making on either end", () => {
    network.wire(wiring);
    const addresses = (netns: TestNetns, link: string) =>
      ipJson(netns, `addr show dev ${link}`)
        .flatMap((shown) => shown["addr_info"] as { local: string }[])
        .map(({ local }) => local);
    expect(addresses(pod, "eth0").sort()).toEqual(["10.244.0.1", "fd00:244::1"]);
    expect(addresses(host, wiring.hostInterface)).toEqual(["fe80::ecee:eeff:feee:eeee"]);
  });

  it("reaches its gateways after it forgot who they are", () => {
    // An ARP request for 169.254.1.1 is answered by a node that has a route to it, by another link.
    ip(host, "link add name uplink type bridge");
    ip(host, "link set uplink up");
    ip(host, "route add default dev uplink");
    network.wire(wiring);
    ip(pod, "neigh del 169.254.1.1 dev eth0");
    ip(pod, "neigh del fe80::ecee:eeff:feee:eeee dev eth0");
    expect(pings(pod, "10.1.1.1")).toBe(true);
    expect(pings(pod, "fd00:1::1")).toBe(true);
  });

  it("may have one family only", () => {
    network.wire({ ...wiring, addresses: [addressOf("10.244.0.1")] });
    expect(network.check({ ...wiring, addresses: [addressOf("10.244.0.1")] })).toEqual([]);
    expect(ipJson(pod, "-6 route show default")).toEqual([]);
    expect(ipJson(host, `-6 addr show dev ${wiring.hostInterface}`).filter((a) => a["addr_info"])).toEqual([]);
  });

  it("gets IPv6 also where the runtime had switched it off", () => {
    withNetns(pod.path, () => writeFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"));
    network.wire(wiring);
    expect(network.check(wiring)).toEqual([]);
    expect(pings(host, "fd00:244::1")).toBe(true);
  });

  it("forwards nothing, though the host does, unless it may", () => {
    const forwards = (link: string) =>
      withNetns(pod.path, () =>
        [`net/ipv4/conf/${link}/forwarding`, `net/ipv6/conf/${link}/forwarding`].map((path) =>
          readFileSync(`/proc/sys/${path}`, "utf8"),
        ),
      );
    withNetns(pod.path, () => writeFileSync("/proc/sys/net/ipv4/ip_forward", "1"));
    network.wire({ ...wiring, forwarding: false });
    expect(forwards("eth0")).toEqual(["0\n", "0\n"]);
    network.wire({ ...wiring, ifName: "net1", hostInterface: "ovltest1", forwarding: true });
    expect(forwards("net1")).toEqual(["1\n", "1\n"]);
  });

  it("keeps the default route of its first interface when it gets a second one", () => {
    network.wire(wiring);
    const second = {
      ...wiring,
      ...{ ifName: "net1", hostInterface: "ovltest1", addresses: [addressOf("10.244.0.2"), addressOf("fd00:244::2")] },
    };
    network.wire(second);
    expect(network.check(wiring)).toEqual([]);
    expect(network.check(second)).toEqual([]);
    expect(ip(pod, "route get 10.1.1.1")).toContain("dev eth0");
    expect(ip(pod, "-6 route get fd00:1::1")).toContain("dev eth0");
    for (const address of second.addresses) expect(pings(host, formatAddress(address))).toBe(true);
  });

  it("replaces a host end left over from a pod that is gone", () => {
    const old = makeTestNetns();
    network.wire({ ...wiring, netns: old.path });
    network.wire(wiring);
    expect(network.check(wiring)).toEqual([]);
    expect(linkNames(old)).toEqual(["lo"]);
    removeTestNetns(old);
  });
});

describe("check", () => {
  const breaks: [what: string, command: string, side: "host" | "pod", finding: RegExp][] = [
    ["a host end set down", "link set HOST down", "host", /host interface ovl\w+ is down/],
    ["another MTU on the host", "link set HOST mtu 1300", "host", /has mtu 1300 instead of 1450/],
    ["another MAC on the host", "link set HOST address 02:00:00:00:00:01", "host", /MAC 02:00:00:00:00:01 instead/],
    ["a lost IPv4 host route", "route del 10.244.0.1/32", "host", /no route 10.244.0.1\/32 to ovl/],
    ["a lost gateway on the host", "addr del fe80::ecee:eeff:feee:eeee/64 dev HOST", "host", /lacks the pod's gateway/],
    ["a lost IPv6 host route", "-6 route del fd00:244::1/128", "host", /no route fd00:244::1\/128 to ovl/],
    ["a pod end set down", "link set eth0 down", "pod", /eth0 is down in the pod/],
    ["another MTU in the pod", "link set eth0 mtu 1300", "pod", /eth0 has mtu 1300 instead of 1450 in the pod/],
    ["lo set down", "link set lo down", "pod", /lo is down in the pod/],
    ["a lost IPv4 address", "addr del 10.244.0.1/32 dev eth0", "pod", /eth0 lacks the address 10.244.0.1\/32/],
    ["a lost IPv6 address", "addr del fd00:244::1/128 dev eth0", "pod", /eth0 lacks the address fd00:244::1\/128/],
    ["a lost IPv4 default", "route del default", "pod", /no default route via 169.254.1.1 on eth0/],
    ["a lost IPv6 default", "-6 route del default", "pod", /no default route via fe80::ecee:eeff:feee:eeee on eth0/],
    ["another MAC in the pod", "link set eth0 address 02:00:00:00:00:99", "pod", /MAC 02:00:00:00:00:99 instead of 02/],
    ["a lost way to the gateway", "route del 169.254.1.1/32", "pod", /the pod has no route 169.254.1.1 on eth0/],
    ["a lost neighbour", "neigh del 169.254.1.1 dev eth0", "pod", /no permanent neighbour 169.254.1.1/],
    ["a renamed interface", "link set eth0 name eth9", "pod", /the pod has no interface eth0/],
  ];
  it.each(breaks)("names %s", (_, command, side, finding) => {
    const known = { ...wiring, mac: "02:00:00:00:00:07" };
    network.wire(known);
    const netns = side === "host" ? host : pod;
    if (command.includes("name")) ip(netns, "link set eth0 down");
    ip(netns, command.replace("HOST", wiring.hostInterface));
    expect(network.check(known).join("; ")).toMatch(finding);
  });

  it("names settings that changed, a missing host end and a missing namespace", async () => {
    network.wire(wiring);
    const path = `/proc/sys/net/ipv4/conf/${wiring.hostInterface}/proxy_arp`;
    withNetns(host.path, () => writeFileSync(path, "0"));
    expect(network.check(wiring)).toEqual([`net.ipv4.conf.${wiring.hostInterface}.proxy_arp is 0 instead of 1`]);
    expect(network.check({ ...wiring, netns: "/run/netns/ovt-none" }).join("; ")).toMatch(/cannot be entered: ENOENT/);
    await network.unwire(wiring.hostInterface);
    expect(network.check(wiring)).toContain(`the host interface ${wiring.hostInterface} is missing`);
  });
});

describe("wiring that fails", () => {
  it("names a namespace that does not exist, or is none, or is the host's own", () => {
    expect(faultOf(() => network.wire({ ...wiring, netns: "/run/netns/ovt-none" }))).toMatchObject({
      code: "netns-missing",
      message: "the network namespace /run/netns/ovt-none does not exist",
    });
    expect(faultOf(() => network.wire({ ...wiring, netns: "/etc/hostname" })).code).toBe("netns-invalid");
    expect(faultOf(() => network.wire({ ...wiring, netns: host.path })).message).toMatch(/the host's own/);
    expect(linkNames(host)).toEqual(["lo"]);
  });

  it("names an interface the pod already has, and leaves it alone", () => {
    ip(pod, "link add name eth0 type bridge");
    expect(faultOf(() => network.wire(wiring))).toMatchObject({
      code: "interface-taken",
      message: "the pod already has an interface eth0",
    });
    expect(linkNames(pod)).toEqual(["lo", "eth0"]);
    expect(linkNames(host)).toEqual(["lo"]);
  });

  it("makes a pair anew that an agent left half recorded, and leaves one of other parts alone", () => {
    network.wire(wiring);
    const addresses = [addressOf("10.244.0.77")];
    network.wire({ ...wiring, addresses });
    expect(network.check({ ...wiring, addresses })).toEqual([]);
    expect(ip(host, "route show proto 201").trim()).toMatch(/^10\.244\.0\.77 dev \S+/);
    const other = { ...wiring, hostInterface: "ovl0000000other" };
    expect(faultOf(() => network.wire(other)).code).toBe("interface-taken");
    expect(network.check({ ...wiring, addresses })).toEqual([]);
  });

  it("refuses names, sizes and addresses that make no sense", () => {
    for (const wrong of [
      { ifName: "" },
      { ifName: "a/b" },
      { ifName: "sixteen-letters-" },
      { mtu: 0 },
      { mtu: 1279 },
      { mtu: 70000 },
      { addresses: [] },
      { mac: "01:00:00:00:00:00" },
      { mac: "nonsense" },
    ]) {
      expect(faultOf(() => network.wire({ ...wiring, ...wrong })).code).toBe("invalid");
    }
    expect(linkNames(host)).toEqual(["lo"]);
  });

  it("leaves no link, address or route behind, whichever request to the kernel fails", () => {
    let failAt = -1;
    let count = 0;
    const failing = PodNetwork.open({
      netns: host.path,
      openSocket: (netns) => new RefusedAt(NetlinkSocket.open(netns), () => count++ === failAt),
    });
    failing.wire(wiring);
    const effects = count;
    expect(effects).toBeGreaterThan(15);
    ip(host, `link del ${wiring.hostInterface}`);
    for (let n = 0; n < effects; n++) {
      [failAt, count] = [n, 0];
      expect(faultOf(() => failing.wire(wiring))).toMatchObject({ code: "kernel" });
      expect(linkNames(host)).toEqual(["lo"]);
      expect(linkNames(pod)).toEqual(["lo"]);
      expect(ipJson(host, "route show proto 201")).toEqual([]);
      expect(ipJson(host, "-6 route show proto 201")).toEqual([]);
    }
    failing.close();
    network.wire(wiring);
    expect(network.check(wiring)).toEqual([]);
  });
});

/**
 * A socket on which the kernel really refuses the chosen request: it is sent with a message type that does not exist.
 */
class RefusedAt implements Netlink {
  readonly #netlink: Netlink;
  readonly #spoil: () => boolean;

  constructor(netlink: Netlink, spoil: () => boolean) {
    this.#netlink = netlink;
    this.#spoil = spoil;
  }

  execute(batch: RequestBatch): ReturnType<Netlink["execute"]> {
    return this.#netlink.execute(this.#spoiled(batch));
  }

  ask(batch: RequestBatch, visit: Parameters<Netlink["ask"]>[1]): ReturnType<Netlink["ask"]> {
    return this.#netlink.ask(this.#spoiled(batch), visit);
  }

  close(): void {
    this.#netlink.close();
  }

  #spoiled(batch: RequestBatch): RequestBatch {
    const octets = batch.seal(0);
    const view = new DataView(octets.buffer, octets.byteOffset);
    for (let at = 0; at < octets.length; at += (view.getUint32(at, true) + 3) & ~3) {
      if (this.#spoil()) view.setUint16(at + 4, 0x7ff0, true);
    }
    return batch;
  }
}

describe("unwiring", () => {
  it("removes links of both sides and the host's routes, and is idempotent", async () => {
    network.wire(wiring);
    await network.unwire(wiring.hostInterface);
    expect(linkNames(host)).toEqual(["lo"]);
    expect(linkNames(pod)).toEqual(["lo"]);
    expect(ipJson(host, "route show proto 201")).toEqual([]);
    await network.unwire(wiring.hostInterface);
    await network.unwire("ovl00000000000");
  });

  it("takes many at once, answers each, and touches no other link", async () => {
    ip(host, "link add name other type bridge");
    const pods = Array.from({ length: 60 }, (_, i) => ({
      ...wiring,
      ifName: `net${i}`,
      hostInterface: `ovl${i}`,
      addresses: [addressOf(`10.244.1.${i}`)],
    }));
    for (const one of pods) network.wire(one);
    const [first, ...rest] = pods;
    await Promise.all([first, ...rest, first].map((one) => network.unwire((one as PodWiring).hostInterface)));
    expect(linkNames(host)).toEqual(["lo", "other"]);
  });

  it("works when the pod's namespace went first", async () => {
    const gone = makeTestNetns();
    network.wire({ ...wiring, netns: gone.path });
    removeTestNetns(gone);
    await network.unwire(wiring.hostInterface);
    expect(linkNames(host)).toEqual(["lo"]);
  });
});

describe("the host interface's name", () => {
  it("is ovl and 11 hex digits of the sha1 of namespace.pod", () => {
    expect(hostInterfaceName("default", "web-0", "eth0")).toBe("ovl0d7763386da");
    expect(hostInterfaceName("default", "web-0", "eth0", "abc")).toBe("ovl0d7763386da");
  });

  it("differs for a second interface, and for containers without a pod name", () => {
    const names = [
      hostInterfaceName("default", "web-0", "eth0", "abc"),
      hostInterfaceName("default", "web-0", "eth1", "abc"),
      hostInterfaceName("", "", "eth0", "abc"),
      hostInterfaceName("", "", "eth0", "abd"),
    ];
    expect(new Set(names).size).toBe(4);
  });
});

describe("warming up", () => {
  it("works and leaves nothing in the process's own namespace", async () => {
    const before = readFileSync("/proc/self/net/dev", "utf8").split("\n").length;
    await warmUpPodWiring();
    expect(readFileSync("/proc/self/net/dev", "utf8").split("\n").length).toBe(before);
  });
});
