import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { encodeKeepalive, frame } from "../wire/framer.ts";
import { encodeNotification, encodeShutdownMessage } from "../wire/notification.ts";
import { decodeOpen, encodeOpen, type Open } from "../wire/open.ts";
import { cease } from "./fsm.ts";
import { PeerStand } from "./peer-testing.ts";

const SHUTDOWN = cease(2, encodeShutdownMessage("tonight"));
const WITH_RESTART = PeerStand.open({ restartTime: 60 });
const WITHOUT_RESTART = PeerStand.open({ restartTime: undefined });

/** Both sides dialled at once: connection 2 is ours, 1 the peer's; nothing was said yet. */
function bothDialled(routerId: string): PeerStand {
  const stand = new PeerStand({ routerId: addressOf(routerId) });
  stand.peer.start(0);
  stand.peer.connected(2, undefined, 0);
  stand.peer.accepted(1, undefined, 0);
  expect(stand.take()).toEqual(["dial 2", "2 OPEN", "1 OPEN"]);
  return stand;
}

describe("two connections at once (RFC 4271 6.8)", () => {
  it.each([
    ["10.0.0.11", 1, "ours"],
    ["10.0.0.11", 2, "ours"],
    ["9.9.9.9", 1, "theirs"],
    ["9.9.9.9", 2, "theirs"],
  ])("identifier %s, the first OPEN comes on %i: %s stays", (routerId, first, stays) => {
    const stand = bothDialled(routerId);
    stand.receiveOpen(first, 1);
    const [winner, loser] = stays === "ours" ? [2, 1] : [1, 2];
    expect(stand.did.filter((what) => !what.includes("KEEPALIVE"))).toEqual([
      `${loser} NOTIFICATION 6/7`,
      `close ${loser}`,
    ]);
    if (first !== winner) stand.receiveOpen(winner, 2);
    stand.receiveKeepalive(winner, 2);
    expect(stand.peer.session?.connection).toBe(winner);
  });

  it("with one identifier in two ASes the larger AS number decides (RFC 6286 2.3)", () => {
    const stand = bothDialled("10.0.0.1");
    stand.receiveOpen(2, 1);
    expect(stand.did).toContain("close 2");
  });

  it("a session stays, whoever comes beside it", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.acceptSession(1, 0, WITHOUT_RESTART);
    stand.take();
    stand.peer.accepted(3, undefined, 60_000);
    expect(stand.take()).toEqual(["3 NOTIFICATION 6/7", "close 3"]);
    expect(stand.peer.state).toBe("Established");
  });

  it("a peer with graceful restart that connects again has lost the session (RFC 4724 5)", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.acceptSession(1, 0, WITH_RESTART);
    stand.take();
    stand.peer.accepted(3, undefined, 1000);
    expect(stand.take()).toEqual(["3 NOTIFICATION 6/7", "close 3"]);
    stand.peer.accepted(5, undefined, 60_000);
    expect(stand.take()).toEqual(["close 1", "down restartable", "5 OPEN"]);
    stand.receiveOpen(5, 60_000, WITH_RESTART);
    stand.receiveKeepalive(5, 60_000);
    expect(stand.peer.session?.connection).toBe(5);
  });

  it("the same where the session is one we dialled: once the new OPEN is there", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.peer.connected(2, undefined, 0);
    stand.receiveOpen(2, 0, WITH_RESTART);
    stand.receiveKeepalive(2, 0);
    stand.peer.accepted(1, undefined, 60_000);
    expect(stand.peer.state).toBe("Established");
    stand.receiveOpen(1, 60_000, WITH_RESTART);
    stand.receiveKeepalive(1, 60_000);
    expect([stand.endings, stand.peer.session?.connection]).toEqual([["restartable"], 1]);
  });

  it("a second call replaces the first one, which the peer has given up", () => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    stand.peer.accepted(1, undefined, 0);
    stand.take();
    stand.peer.accepted(3, undefined, 1000);
    expect(stand.take()).toEqual(["1 NOTIFICATION 6/7", "close 1", "3 OPEN"]);
  });

  it("stops dialling while the peer's own connection is the session, and goes on after it", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    for (let i = 0; i < 6; i++) {
      stand.peer.closed(2 * (i + 1), "refused", 0);
      stand.peer.tick(stand.peer.nextDue());
    }
    stand.acceptSession(1, 100_000);
    stand.take();
    stand.peer.tick(101_000);
    expect(stand.take()).toEqual([]);
    stand.peer.closed(1, "reset", 101_000);
    stand.take();
    // Failures before the session do not make the wait after it longer.
    expect(stand.peer.nextDue()).toBe(102_000);
    stand.peer.tick(102_000);
    expect(stand.take()).toEqual([expect.stringMatching(/^dial/)]);
  });
});

describe("a peer that cannot be reached", () => {
  it("and does not answer at all is said so, though the state stays Connect (RFC 4271 8.2.2)", () => {
    const stand = new PeerStand({ address: addressOf("fe80::2"), device: "eth0", port: 1790 });
    stand.peer.start(0);
    expect(stand.peer.lastError).toBe("");
    stand.peer.tick(5000);
    expect(stand.take()).toEqual(["dial 2", "close 2", "dial 4"]);
    expect(stand.peer.state).toBe("Connect");
    expect(stand.peer.lastError).toBe("no answer from fe80::2%eth0 port 1790 within 5 s");
    stand.peer.closed(4, "no route to host", 6000);
    expect(stand.peer.lastError).toBe("no route to host");
    stand.acceptSession(1, 7000);
    expect(stand.peer.lastError).toBe("");
  });

  it("does not hide the peer's last words behind its silence", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.acceptSession(1, 0);
    stand.peer.received(1, encodeNotification(SHUTDOWN), 1);
    stand.peer.tick(stand.peer.nextDue());
    stand.peer.tick(stand.peer.nextDue());
    expect(stand.peer.lastError).toBe(
      'no answer from 10.0.0.1 port 179 within 5 s; before that: received Cease/Administrative Shutdown: "tonight"',
    );
  });
});

describe("a peer that is not wanted now", () => {
  it("is told so when it is disabled, refused while it is, and dialled when it is enabled", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.acceptSession(1, 0);
    stand.take();
    stand.peer.disable(SHUTDOWN, 1000);
    expect(stand.take()).toEqual(["1 NOTIFICATION 6/2", "close 1", "down final"]);
    expect([stand.peer.state, stand.peer.isKeptDown(1e12), stand.peer.nextDue()]).toEqual([
      "Idle",
      true,
      Number.POSITIVE_INFINITY,
    ]);
    stand.peer.accepted(3, undefined, 2000);
    expect(stand.take()).toEqual(["3 NOTIFICATION 6/5", "close 3"]);
    stand.peer.reset(cease(4), 3000);
    expect(stand.take()).toEqual([]);
    stand.peer.enable(4000);
    expect(stand.take()).toEqual([expect.stringMatching(/^dial/)]);
  });

  it("is refused until its time when it is held down, and dialled then", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.acceptSession(1, 0);
    stand.take();
    stand.peer.holdDown(cease(1), 60_000, 1000);
    expect(stand.take()).toEqual(["1 NOTIFICATION 6/1", "close 1", "down final"]);
    stand.peer.accepted(3, undefined, 60_999);
    expect(stand.take()).toEqual(["3 NOTIFICATION 6/5", "close 3"]);
    expect(stand.peer.nextDue()).toBe(61_000);
    stand.peer.tick(61_000);
    expect(stand.take()).toEqual([expect.stringMatching(/^dial/)]);
    stand.acceptSession(5, 61_000);
    expect(stand.peer.state).toBe("Established");
  });

  it("comes back at once when an operator resets it", () => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    stand.peer.holdDown(cease(1), 60_000, 0);
    stand.peer.reset(cease(4), 1000);
    stand.acceptSession(1, 1000);
    expect(stand.peer.state).toBe("Established");
  });

  it("does nothing at all when it is configured so", () => {
    const stand = new PeerStand({ enabled: false });
    stand.peer.start(0);
    stand.peer.accepted(1, undefined, 0);
    expect(stand.take()).toEqual(["1 NOTIFICATION 6/5", "close 1"]);
  });

  it("stays down for want of its password, and says so, whoever calls or enables it", () => {
    const stand = new PeerStand({ held: "no password: there is no Secret bgp" });
    stand.peer.start(0);
    stand.peer.accepted(1, undefined, 0);
    stand.peer.disable(cease(2), 1);
    stand.peer.enable(2);
    stand.peer.reset(cease(4), 3);
    stand.peer.tick(100_000);
    expect(stand.take()).toEqual(["1 NOTIFICATION 6/5", "close 1"]);
    expect(stand.peer).toMatchObject({ state: "Idle", lastError: "no password: there is no Secret bgp" });
  });

  it("closes a connection that came about after it was stopped", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.peer.stop(SHUTDOWN, 0);
    stand.peer.connected(2, undefined, 1);
    expect(stand.take()).toEqual(["dial 2", "close 2", "close 2"]);
  });
});

describe("what a session is made of", () => {
  it("is a long message, straight after the OPEN, where both take them (RFC 8654)", () => {
    const stand = new PeerStand();
    stand.peer.start(0);
    stand.peer.accepted(1, undefined, 0);
    const long = encodeNotification({ code: 6, subcode: 6, data: new Uint8Array(0) });
    const padded = frame(3, new Uint8Array([...long.subarray(19), ...new Uint8Array(5000)]));
    stand.peer.received(1, Buffer.concat([encodeOpen(PeerStand.open()), padded]), 0);
    expect(stand.peer.lastError).toBe("received Cease/Other Configuration Change");
  });

  it("says in its first OPEN what outlived the last life, and later that everything did (RFC 4724 3)", () => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    const restartSaid = () => {
      const open = stand.sent.findLast((octets) => octets[18] === 1) as Uint8Array;
      const said = (decodeOpen(open.subarray(19)) as Open).capabilities.gracefulRestart;
      return [said?.restarted, said?.families.map(({ forwardingPreserved }) => forwardingPreserved)];
    };
    stand.acceptSession(1, 0);
    expect(restartSaid()).toEqual([false, [false, false]]);
    stand.peer.closed(1, "reset", 1);
    stand.acceptSession(3, 2);
    expect(restartSaid()).toEqual([false, [true, true]]);
    const back = new PeerStand({ passive: true });
    back.restarting = true;
    back.keptForwarding = true;
    back.peer.start(0);
    back.peer.accepted(1, undefined, 0);
    stand.sent.push(...back.sent);
    expect(restartSaid()).toEqual([true, [true, true]]);
  });

  it.each<[string, string, string[]]>([
    ["a request", "0001 00 01", ["refresh 4 request"]],
    ["its beginning", "0002 01 01", ["refresh 6 begin"]],
    ["its end", "0002 02 01", ["refresh 6 end"]],
    ["an unknown subtype", "0001 09 01", []],
    ["another family", "0001 00 80", []],
    ["a request with filters", "0001 00 01 01 40 0001 80", ["refresh 4 request"]],
    ["a beginning too long (RFC 7313 5)", "0001 01 01 00", ["1 NOTIFICATION 7/1", "close 1", "down final"]],
  ])("ROUTE-REFRESH: %s", (_name, hex, expected) => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    stand.acceptSession(1, 0);
    stand.take();
    stand.peer.received(1, frame(5, Buffer.from(hex.replaceAll(" ", ""), "hex")), 1);
    expect(stand.take()).toEqual(expected);
  });

  it("is one family only where the peer has one: a refresh of the other is passed over (RFC 2918 4)", () => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    stand.acceptSession(1, 0, PeerStand.open({ families: [4] }));
    stand.take();
    stand.peer.received(1, frame(5, Uint8Array.of(0, 2, 0, 1)), 1);
    expect(stand.take()).toEqual([]);
  });

  it("counts what goes through it, and keeps the last ten notifications", () => {
    const stand = new PeerStand({ passive: true });
    stand.peer.start(0);
    for (let i = 0; i < 12; i++) {
      stand.acceptSession(2 * i + 1, i);
      stand.peer.received(2 * i + 1, encodeNotification(SHUTDOWN), i);
    }
    expect(stand.peer.messagesByType).toEqual({ received: [0, 12, 0, 12, 12, 0], sent: [0, 12, 0, 0, 12, 0] });
    expect(stand.peer.notifications).toHaveLength(10);
    expect(stand.peer.notifications.at(-1)).toEqual({
      direction: "received",
      at: 11,
      text: 'Cease/Administrative Shutdown: "tonight"',
    });
  });

  it("ends cleanly, whatever octets come", () => {
    const message = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc
        .tuple(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 40 }))
        .map(([type, body]) => frame(type, body)),
      fc.constantFrom(encodeKeepalive(), encodeOpen(PeerStand.open())),
    );
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), fc.boolean(), (messages, established) => {
        const stand = new PeerStand({ passive: true });
        stand.peer.start(0);
        if (established) stand.acceptSession(1, 0);
        else stand.peer.accepted(1, undefined, 0);
        for (const octets of messages) stand.peer.received(1, octets, 1);
        expect(stand.did.filter((what) => what.includes("NOTIFICATION")).length).toBeLessThanOrEqual(1);
        expect(stand.peer.hasConnection).toBe(!stand.did.includes("close 1"));
      }),
    );
  });
});
