import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { type Capabilities, NO_CAPABILITIES } from "../wire/capability.ts";
import type { Open } from "../wire/open.ts";
import { checkOpen, keepsOverNotification, type Negotiated, negotiate, ourOpen } from "./negotiate.ts";
import type { PeerConfig } from "./peer-config.ts";
import { PEER_CONFIG } from "./testing.ts";

const OPEN: Open = {
  asNumber: 65001,
  holdTime: 90,
  bgpIdentifier: addressOf("10.0.0.1"),
  capabilities: { ...NO_CAPABILITIES, families: [4, 6], multiprotocol: true, fourOctetAs: 65001 },
};

function openWith(capabilities: Partial<Capabilities>, change: Partial<Open> = {}): Open {
  return { ...OPEN, capabilities: { ...OPEN.capabilities, ...capabilities }, ...change };
}

/** `2/7`, or undefined when the OPEN is acceptable. */
function refusal(config: Partial<PeerConfig>, open: Open): string | undefined {
  const fault = checkOpen({ ...PEER_CONFIG, ...config }, open);
  return fault && `${fault.code}/${fault.subcode}`;
}

function agreed(config: Partial<PeerConfig>, capabilities: Partial<Capabilities>): Negotiated {
  return negotiate({ ...PEER_CONFIG, ...config }, openWith(capabilities));
}

const RESTART = {
  restarted: false,
  notification: true,
  restartTime: 60,
  families: [{ family: 4, forwardingPreserved: true }],
} as const;

const LONG_LIVED = [{ family: 4, forwardingPreserved: true, staleTime: 3600 }] as const;

const BIG: Partial<PeerConfig> = { localAsNumber: 4_200_000_001 };

describe("an OPEN", () => {
  it.each<[string, Partial<PeerConfig>, Open, string | undefined]>([
    ["of the AS configured", {}, OPEN, undefined],
    ["of another AS", {}, openWith({}, { asNumber: 65009 }), "2/2"],
    ["of any AS where any will do", { asNumber: 0 }, openWith({}, { asNumber: 65009 }), undefined],
    ["of our AS with our identifier", { asNumber: 64512 }, mirror(64512), "2/3"],
    ["of our AS with our identifier where any AS will do", { asNumber: 0 }, mirror(64512), "2/3"],
    ["of another AS with our identifier (RFC 6286 2.1)", {}, mirror(65001), undefined],
    ["without any capability, where IPv4 is wanted", {}, { ...OPEN, capabilities: NO_CAPABILITIES }, undefined],
    ["without any capability, where IPv6 is", { families: [6] }, { ...OPEN, capabilities: NO_CAPABILITIES }, "2/7"],
    ["of other families only", {}, openWith({ families: [], multiprotocol: true }), "2/7"],
    ["of one family of two", {}, openWith({ families: [6] }), undefined],
    ["of two octets, our AS is larger (RFC 6793)", BIG, { ...OPEN, capabilities: NO_CAPABILITIES }, undefined],
  ])("%s", (_name, config, open, expected) => {
    expect(refusal(config, open)).toBe(expected);
  });

  it("is told which families were wanted (RFC 5492 5)", () => {
    const fault = checkOpen(PEER_CONFIG, openWith({ families: [], multiprotocol: true }));
    expect(Buffer.from(fault?.data ?? []).toString("hex")).toBe("010400010001010400020001");
  });

  const PROVIDER = { role: "provider" } as const;
  it.each<[string, Partial<PeerConfig>, number[], string | undefined]>([
    ["its customer", PROVIDER, [3], undefined],
    ["its customer, said twice", PROVIDER, [3, 3], undefined],
    ["its customer and its peer", PROVIDER, [3, 4], "2/11"],
    ["another provider", PROVIDER, [0], "2/11"],
    ["a role nobody knows", PROVIDER, [77], "2/11"],
    ["nothing", PROVIDER, [], undefined],
    ["nothing, strictly", { ...PROVIDER, strictRole: true }, [], "2/11"],
    ["a customer, nobody asked", {}, [3], undefined],
    ["a provider to a customer", { role: "customer" }, [0], undefined],
    ["a peer to a peer", { role: "peer" }, [4], undefined],
    ["a client to a route server", { role: "rs" }, [2], undefined],
    ["a route server to a client", { role: "rs-client" }, [1], undefined],
    ["a provider to a peer", { role: "peer" }, [0], "2/11"],
    ["another provider, of our own AS", { ...PROVIDER, localAsNumber: 65001, strictRole: true }, [0], undefined],
  ])("of role %s (RFC 9234 4.2)", (_name, config, roles, expected) => {
    expect(refusal(config, openWith({ roles }))).toBe(expected);
  });
});

function mirror(asNumber: number): Open {
  return openWith({}, { asNumber, bgpIdentifier: PEER_CONFIG.routerId });
}

describe("what two OPENs agree on", () => {
  it.each<[string, Partial<PeerConfig>, Partial<Capabilities>, Partial<Negotiated>]>([
    ["nothing said: an old speaker", {}, { ...NO_CAPABILITIES }, { families: [4], asOctets: 2, routeRefresh: false }],
    ["both families", {}, {}, { families: [4, 6], asOctets: 4, external: true, asNumber: 65001 }],
    ["long messages, both", {}, { extendedMessage: true }, { maxMessageLength: 65_535 }],
    ["long messages, only we", {}, {}, { maxMessageLength: 4096 }],
    [
      "long messages, only the peer",
      { extendedMessages: false },
      { extendedMessage: true },
      { maxMessageLength: 4096 },
    ],
    ["next hops, both", { extendedNextHop: true }, { extendedNextHop: true }, { extendedNextHop: true }],
    ["next hops, only the peer", {}, { extendedNextHop: true }, { extendedNextHop: false }],
    ["next hops, only we", { extendedNextHop: true }, {}, { extendedNextHop: false }],
    ["refresh", {}, { routeRefresh: true }, { routeRefresh: true, enhancedRefresh: false }],
    [
      "enhanced refresh implies the plain one",
      {},
      { enhancedRefresh: true },
      { routeRefresh: true, enhancedRefresh: true },
    ],
    ["restart", {}, { gracefulRestart: RESTART }, { peerRestart: RESTART }],
    ["restart, only the peer", { restartTime: undefined }, { gracefulRestart: RESTART }, { peerRestart: undefined }],
    ["long-lived routes without restart", {}, { longLived: LONG_LIVED }, { peerLongLived: [] }],
    ["long-lived routes", {}, { longLived: LONG_LIVED, gracefulRestart: RESTART }, { peerLongLived: LONG_LIVED }],
    ["a role", { role: "peer" }, { roles: [] }, { role: "peer" }],
    ["a role within an AS", { role: "peer", localAsNumber: 65001 }, {}, { role: undefined, external: false }],
  ])("%s", (_name, config, capabilities, expected) => {
    expect(agreed(config, capabilities)).toMatchObject(expected);
  });

  it.each<[boolean, boolean, boolean, boolean]>([
    [true, true, true, true],
    [true, false, true, true],
    [false, true, true, true],
    [true, true, false, true],
    [true, true, true, false],
    [false, false, true, true],
  ])("several paths: we send %s, receive %s; the peer sends %s, receives %s (RFC 7911 4)", (ours, we, theirs, they) => {
    const addPath = [{ family: 4 as const, send: theirs, receive: they }];
    const { addPathSend, addPathReceive } = agreed({ addPath: { send: ours, receive: we } }, { addPath });
    expect({ addPathSend, addPathReceive }).toEqual({
      addPathSend: ours && they ? [4] : [],
      addPathReceive: we && theirs ? [4] : [],
    });
  });

  it.each([
    [90, 30, undefined, 30, 10],
    [30, 90, undefined, 30, 10],
    [0, 90, undefined, 0, 0],
    [90, 0, 10, 0, 0],
    [90, 90, 5, 90, 5],
    [90, 9, 30, 9, 3],
    [90, 90, 0, 90, 1],
    [3, 90, undefined, 3, 1],
  ])("hold times %i and %i, keepalive %p: %i and %i", (ours, theirs, keepalive, holdTime, keepaliveTime) => {
    const config = { ...PEER_CONFIG, holdTime: ours, keepaliveTime: keepalive };
    expect(negotiate(config, { ...OPEN, holdTime: theirs })).toMatchObject({ holdTime, keepaliveTime });
  });

  it.each<[boolean, boolean, boolean]>([
    [true, true, true],
    [true, false, false],
    [false, true, false],
  ])("routes over a NOTIFICATION: we %s, the peer %s -> %s (RFC 8538 2)", (we, peer, kept) => {
    const config = { ...PEER_CONFIG, restartOnNotification: we };
    const gracefulRestart = { ...RESTART, notification: peer };
    expect(keepsOverNotification(config, negotiate(config, openWith({ gracefulRestart })))).toBe(kept);
  });
});

describe("our OPEN", () => {
  it("says everything that is configured", () => {
    const config: PeerConfig = {
      ...PEER_CONFIG,
      role: "customer",
      extendedNextHop: true,
      restartOnNotification: true,
      longLivedStaleTime: 3600,
      addPath: { send: true, receive: false },
    };
    const forwardingPreserved = true;
    const kept = [4, 6].map((family) => ({ family, forwardingPreserved }));
    expect(ourOpen(config, { restarted: true, forwardingPreserved })).toEqual({
      asNumber: 64512,
      holdTime: 9,
      bgpIdentifier: addressOf("10.0.0.11"),
      capabilities: {
        families: [4, 6],
        multiprotocol: true,
        routeRefresh: true,
        enhancedRefresh: true,
        extendedMessage: true,
        extendedNextHop: true,
        roles: [3],
        fourOctetAs: 64512,
        gracefulRestart: { restarted: true, notification: true, restartTime: 120, families: kept },
        longLived: kept.map((one) => ({ ...one, staleTime: 3600 })),
        addPath: [4, 6].map((family) => ({ family, send: true, receive: false })),
      },
    });
  });

  it("keeps to itself what is off, and a role within an AS", () => {
    const config: PeerConfig = {
      ...PEER_CONFIG,
      families: [6],
      asNumber: 64512,
      role: "customer",
      restartTime: undefined,
      longLivedStaleTime: 3600,
      extendedMessages: false,
      extendedNextHop: true,
    };
    expect(ourOpen(config, { restarted: false, forwardingPreserved: false }).capabilities).toEqual({
      ...NO_CAPABILITIES,
      families: [6],
      multiprotocol: true,
      routeRefresh: true,
      enhancedRefresh: true,
      fourOctetAs: 64512,
    });
  });
});
