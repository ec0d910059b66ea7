import { describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { PEER_CONFIG } from "../session/testing.ts";
import { Network } from "./network.ts";

const UNDERLAY = [
  { prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 },
  { prefix: prefixOf("fd00::/64"), via: [{ interfaceIndex: 2 }], metric: 0 },
];

/** Speaker n sits at 10.0.0.n and fd00::n, owns 10.244.n.0/26 and fd00:244:n::/122. */
function mesh(seed: number, count: number, asOf: (n: number) => number = () => 64512): Network {
  const network = new Network(seed);
  for (let n = 1; n <= count; n++) {
    network.addHost(`n${n}`, { addresses: [addressOf(`10.0.0.${n}`)], underlay: UNDERLAY });
  }
  for (let n = 1; n <= count; n++) boot(network, n, count, asOf);
  return network;
}

function boot(network: Network, n: number, count: number, asOf: (n: number) => number, restarting = false): void {
  network.start(`n${n}`, restarting);
  network.tell(`n${n}`, {
    kind: "networks",
    prefixes: [prefixOf(`10.244.${n}.0/26`), prefixOf(`fd00:244:${n}::/122`)],
  });
  network.tell(`n${n}`, { kind: "peers", peers: peersOf(n, count, asOf) });
}

function peersOf(n: number, count: number, asOf: (n: number) => number): PeerConfig[] {
  return Array.from({ length: count }, (_, i) => i + 1)
    .filter((m) => m !== n)
    .map((m) => ({
      ...PEER_CONFIG,
      name: `n${m}`,
      address: addressOf(`10.0.0.${m}`),
      asNumber: asOf(m),
      localAsNumber: asOf(n),
      routerId: addressOf(`10.0.0.${n}`),
      localAddresses: { 4: addressOf(`10.0.0.${n}`), 6: addressOf(`fd00::${n}`) },
    }));
}

function statesOf(network: Network): string[] {
  return [...network.hosts.values()].flatMap((host) =>
    (host.speaker?.neighbors ?? []).map(
      ({ peer }) => `${host.name}-${peer.config.name} ${peer.state} ${peer.lastError}`,
    ),
  );
}

function expectedFib(n: number, count: number, gone: readonly number[] = []): [string, string][] {
  const fib: [string, string][] = [];
  for (let m = 1; m <= count; m++) {
    if (m === n || gone.includes(m)) continue;
    fib.push([`10.244.${m}.0/26`, `10.0.0.${m}`]);
    fib.push([formatPrefix(prefixOf(`fd00:244:${m}::/122`)), formatAddress(addressOf(`fd00::${m}`))]);
  }
  return fib.sort();
}

function fibOf(network: Network, n: number): [string, string][] {
  return [...(network.hosts.get(`n${n}`)?.fib ?? [])].sort();
}

describe("speakers in a simulated network", () => {
  it("a mesh converges to every block through its owner, whatever the delays", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const network = mesh(seed, 4);
      network.run(60_000);
      const down = statesOf(network).filter((state) => !state.includes("Established"));
      expect({ seed, down }).toEqual({ seed, down: [] });
      for (let n = 1; n <= 4; n++)
        expect({ seed, n, fib: fibOf(network, n) }).toEqual({ seed, n, fib: expectedFib(n, 4) });
    }
  });

  it("simultaneous dials end in exactly one connection", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const network = mesh(seed, 2);
      network.run(30_000);
      const counts = [...network.hosts.values()].map((host) => host.endpoints.size);
      expect({ seed, counts, states: statesOf(network) }).toEqual({
        seed,
        counts: [1, 1],
        states: ["n1-n2 Established ", "n2-n1 Established "],
      });
    }
  });

  it("a killed speaker's routes stay until it is back, and nobody's forwarding table moves", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const network = mesh(seed, 3);
      network.run(30_000);
      network.kill("n2");
      network.run(10_000);
      expect({ seed, fib: fibOf(network, 1) }).toEqual({ seed, fib: expectedFib(1, 3) });
      boot(network, 2, 3, () => 64512, true);
      network.run(30_000);
      for (let n = 1; n <= 3; n++)
        expect({ seed, n, fib: fibOf(network, n) }).toEqual({ seed, n, fib: expectedFib(n, 3) });
      const kept = network.hosts.get("n1")?.events.filter(({ kind }) => kind === "stale-kept");
      expect(kept).toEqual([{ kind: "stale-kept", peer: "n2", routes: 2 }]);
    }
  });

  it("a speaker that does not come back is forgotten after its restart time", () => {
    const network = mesh(1, 3);
    network.run(30_000);
    network.kill("n3");
    network.run(119_000);
    expect(fibOf(network, 1)).toEqual(expectedFib(1, 3));
    network.run(3_000);
    expect(fibOf(network, 1)).toEqual(expectedFib(1, 3, [3]));
  });

  it("a route withdrawn while its speaker was away is swept at End-of-RIB", () => {
    const network = mesh(7, 2);
    network.run(30_000);
    network.kill("n2");
    network.start("n2", true);
    network.tell("n2", { kind: "networks", prefixes: [prefixOf("10.244.2.0/26")] });
    network.tell("n2", { kind: "peers", peers: peersOf(2, 2, () => 64512) });
    network.run(30_000);
    expect(fibOf(network, 1)).toEqual([["10.244.2.0/26", "10.0.0.2"]]);
    expect(network.hosts.get("n1")?.events).toContainEqual({ kind: "stale-swept", peer: "n2", routes: 1 });
  });

  it("a cut link is noticed by the hold timer, and its routes go at once", () => {
    const network = mesh(3, 2);
    network.run(30_000);
    network.cut("n1", "n2");
    network.run(9_100);
    expect(fibOf(network, 1)).toEqual([]);
    network.heal("n1", "n2");
    network.run(60_000);
    expect(fibOf(network, 1)).toEqual(expectedFib(1, 2));
  });

  it("eBGP: the neighbour's AS is in the path and the next hop is its own", () => {
    const network = mesh(5, 3, (n) => 65000 + n);
    network.run(30_000);
    const rib = network.hosts.get("n1")?.speaker?.rib;
    const v4 = rib?.families[4];
    for (let n = 1; n <= 3; n++) expect(fibOf(network, n)).toEqual(expectedFib(n, 3));
    expect(v4?.paths.size).toBe(1 + 2 + 2);
  });

  it("a peer that is taken away hears why and its routes are withdrawn", () => {
    const network = mesh(9, 2);
    network.run(30_000);
    network.tell("n1", { kind: "peers", peers: [] });
    network.run(300);
    expect(fibOf(network, 1)).toEqual([]);
    expect(fibOf(network, 2)).toEqual([]);
    expect(network.hosts.get("n2")?.speaker?.neighbors[0]?.peer.lastError).toBe("received Cease/Peer De-configured");
  });

  it("administrative shutdown carries its message", () => {
    const network = mesh(9, 2);
    network.run(30_000);
    network.tell("n1", { kind: "shutdown", message: "rack moves at noon" });
    network.run(300);
    const reason = 'received Cease/Administrative Shutdown: "rack moves at noon"';
    expect(network.hosts.get("n2")?.speaker?.neighbors[0]?.peer.lastError).toBe(reason);
  });
});
