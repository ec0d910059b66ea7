import { describe, expect, it } from "@jest/globals";
import { encodeNotification, hardReset } from "../wire/notification.ts";
import { cease } from "./fsm.ts";
import { PeerStand } from "./peer-testing.ts";

type End = (stand: PeerStand) => void;

const loss: End = ({ peer }) => peer.closed(1, "reset", 1);
const expiry: End = ({ peer }) => peer.tick(9000);
const garbage: End = ({ peer }) => peer.received(1, new Uint8Array(19), 1);
const cannotSend: End = (stand) => {
  stand.peer.congested(0);
  for (let now = 3000; now <= 480_000; now += 3000) {
    stand.receiveKeepalive(1, now - 1);
    stand.peer.tick(now);
  }
};
const told =
  (notification = cease(2)): End =>
  ({ peer }) =>
    peer.received(1, encodeNotification(notification), 1);
const stopped =
  (subcode: number): End =>
  ({ peer }) =>
    peer.stop(cease(subcode), 1);

/** What a session with graceful restart leaves behind, without and with the N bit of RFC 8538. */
const ENDINGS: [string, End, string, string][] = [
  ["the connection is lost", loss, "down restartable", "down restartable"],
  ["the hold timer expires", expiry, "4/0, down final", "4/0, down restartable"],
  ["the peer says goodbye", told(), "down final", "down restartable"],
  ["the peer says goodbye for good", told(hardReset(cease(2))), "down final", "down final"],
  ["the peer sends rubbish", garbage, "1/1, down final", "1/1, down restartable"],
  ["the peer takes nothing (RFC 9687)", cannotSend, "down final", "down final"],
  ["the peer announces too much", stopped(1), "6/1, down final", "6/9, down final"],
  ["an operator shuts it down", stopped(2), "6/2, down final", "6/9, down final"],
  ["the peer is no longer configured", stopped(3), "6/3, down final", "6/9, down final"],
  ["an operator resets it", stopped(4), "6/4, down final", "6/4, down restartable"],
  ["its configuration changes", stopped(6), "6/6, down final", "6/6, down restartable"],
];

function ended(end: End, restartOnNotification: boolean): string {
  const stand = new PeerStand({ passive: true, restartOnNotification });
  stand.peer.start(0);
  stand.acceptSession(1, 0, PeerStand.open({ restartOnNotification }));
  stand.take();
  end(stand);
  const words = stand.take().map((what) => what.replace("1 NOTIFICATION ", ""));
  return words.filter((what) => what !== "close 1" && what !== "1 KEEPALIVE").join(", ");
}

describe("a session with graceful restart ends (RFC 4724 4, RFC 8538 3)", () => {
  it.each(ENDINGS)("%s", (_name, end, plain, withNotification) => {
    expect([ended(end, false), ended(end, true)]).toEqual([plain, withNotification]);
  });
});

describe("the send hold timer (RFC 9687)", () => {
  it("runs while the peer takes nothing, eight minutes or two hold times", () => {
    const stand = new PeerStand({ passive: true, holdTime: 300 });
    const due = () => stand.peer.runningTimers.find(({ name }) => name === "SendHold")?.due;
    stand.peer.start(0);
    stand.peer.congested(0);
    expect(due()).toBeUndefined();
    stand.acceptSession(1, 0, PeerStand.open({ holdTime: 300 }));
    stand.peer.congested(1000);
    stand.peer.congested(5000);
    expect(due()).toBe(601_000);
    stand.peer.drained(6000);
    expect(due()).toBeUndefined();
  });

  it("is off without a hold time", () => {
    const stand = new PeerStand({ passive: true, holdTime: 0 });
    stand.peer.start(0);
    stand.acceptSession(1, 0);
    stand.peer.congested(0);
    expect(stand.peer.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });
});
