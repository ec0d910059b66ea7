import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import type { Open } from "../wire/open.ts";
import { cease, Fsm, type FsmEvent, type FsmHost, type StateName } from "./fsm.ts";
import { ourOpen } from "./negotiate.ts";
import type { PeerConfig } from "./peer-config.ts";
import { step } from "./step.ts";
import { PEER_CONFIG as CONFIG } from "./testing.ts";

const AFRESH = { restarted: false, forwardingPreserved: false };

const PEER_OPEN: Open = ourOpen(
  { ...CONFIG, asNumber: 64512, localAsNumber: 65001, routerId: addressOf("10.0.0.1"), holdTime: 6 },
  AFRESH,
);

const EVENTS: Readonly<Record<string, FsmEvent>> = {
  ManualStart: { kind: "ManualStart" },
  ManualStop: { kind: "ManualStop", notification: cease(2) },
  ConnectRetryTimerExpires: { kind: "ConnectRetryTimerExpires" },
  IdleHoldTimerExpires: { kind: "IdleHoldTimerExpires" },
  HoldTimerExpires: { kind: "HoldTimerExpires" },
  KeepaliveTimerExpires: { kind: "KeepaliveTimerExpires" },
  SendHoldTimerExpires: { kind: "SendHoldTimerExpires" },
  TcpConnected: { kind: "TcpConnected", connection: 2 },
  TcpFails: { kind: "TcpFails", reason: "connection refused" },
  OpenReceived: { kind: "OpenReceived", open: PEER_OPEN },
  BadOpenReceived: {
    kind: "OpenReceived",
    open: { action: "reset", code: 2, subcode: 6, data: new Uint8Array(0), text: "hold time 1 s" },
  },
  KeepaliveReceived: { kind: "KeepaliveReceived" },
  UpdateReceived: { kind: "UpdateReceived", body: new Uint8Array(4) },
  RouteRefreshReceived: { kind: "RouteRefreshReceived", body: Uint8Array.of(0, 1, 0, 1) },
  NotificationReceived: { kind: "NotificationReceived", notification: cease(2) },
  MessageFault: {
    kind: "MessageFault",
    fault: { action: "reset", code: 3, subcode: 1, data: new Uint8Array(0), text: "broken" },
  },
};

interface Trace {
  readonly did: string[];
  readonly host: FsmHost;
}

const TYPES = ["", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"];

function trace(config: PeerConfig = CONFIG): Trace {
  const did: string[] = [];
  const host: FsmHost = {
    config,
    dial: () => {
      did.push("dial");
      return 2;
    },
    send: (_connection, message) => {
      const type = TYPES[message[18] as number] as string;
      did.push(type === "NOTIFICATION" ? `${type} ${message[19]}/${message[20]}` : type);
    },
    close: () => did.push("close"),
    ourOpen: () => ourOpen(config, AFRESH),
    update: () => {
      did.push("update");
      return undefined;
    },
    routeRefresh: () => {
      did.push("refresh");
      return undefined;
    },
    notified: (direction, { code, subcode }) => {
      if (direction === "received") did.push(`told of ${code}/${subcode}`);
    },
    jitter: () => 1,
  };
  return { did, host };
}

const PATH: Readonly<Record<StateName, readonly string[]>> = {
  Idle: [],
  Connect: ["ManualStart"],
  Active: ["ManualStart", "TcpFails"],
  OpenSent: ["ManualStart", "TcpConnected"],
  OpenConfirm: ["ManualStart", "TcpConnected", "OpenReceived"],
  Established: ["ManualStart", "TcpConnected", "OpenReceived", "KeepaliveReceived"],
};

function fsmIn(state: StateName, { did, host }: Trace): Fsm {
  const fsm = new Fsm(host, true, 0);
  for (const event of PATH[state]) step(fsm, EVENTS[event] as FsmEvent, 0);
  expect(fsm.state).toBe(state);
  did.length = 0;
  return fsm;
}

/** state -> event -> next state and what was done; an event that is not here changes nothing and does nothing. */
const TABLE: Readonly<Record<StateName, Readonly<Record<string, string>>>> = {
  Idle: { ManualStart: "Connect: dial", IdleHoldTimerExpires: "Connect: dial" },
  Connect: {
    TcpConnected: "OpenSent: OPEN",
    TcpFails: "Active:",
    ConnectRetryTimerExpires: "Connect: close, dial",
    ManualStop: "Idle: close",
  },
  Active: {
    TcpConnected: "OpenSent: OPEN",
    ConnectRetryTimerExpires: "Connect: dial",
    TcpFails: "Idle:",
    ManualStop: "Idle:",
  },
  OpenSent: {
    OpenReceived: "OpenConfirm: KEEPALIVE",
    BadOpenReceived: "Idle: NOTIFICATION 2/6, close",
    TcpFails: "Idle: close",
    HoldTimerExpires: "Idle: NOTIFICATION 4/0, close",
    NotificationReceived: "Idle: told of 6/2, close",
    MessageFault: "Idle: NOTIFICATION 3/1, close",
    KeepaliveReceived: "Idle: NOTIFICATION 5/1, close",
    UpdateReceived: "Idle: NOTIFICATION 5/1, close",
    RouteRefreshReceived: "Idle: NOTIFICATION 5/1, close",
    ManualStop: "Idle: NOTIFICATION 6/2, close",
  },
  OpenConfirm: {
    KeepaliveReceived: "Established:",
    KeepaliveTimerExpires: "OpenConfirm: KEEPALIVE",
    TcpFails: "Idle: close",
    HoldTimerExpires: "Idle: NOTIFICATION 4/0, close",
    NotificationReceived: "Idle: told of 6/2, close",
    MessageFault: "Idle: NOTIFICATION 3/1, close",
    OpenReceived: "Idle: NOTIFICATION 5/2, close",
    BadOpenReceived: "Idle: NOTIFICATION 5/2, close",
    UpdateReceived: "Idle: NOTIFICATION 5/2, close",
    RouteRefreshReceived: "Idle: NOTIFICATION 5/2, close",
    ManualStop: "Idle: NOTIFICATION 6/2, close",
  },
  Established: {
    UpdateReceived: "Established: update",
    RouteRefreshReceived: "Established: refresh",
    KeepaliveTimerExpires: "Established: KEEPALIVE",
    SendHoldTimerExpires: "Idle: close",
    TcpFails: "Idle: close",
    HoldTimerExpires: "Idle: NOTIFICATION 4/0, close",
    NotificationReceived: "Idle: told of 6/2, close",
    MessageFault: "Idle: NOTIFICATION 3/1, close",
    OpenReceived: "Idle: NOTIFICATION 5/3, close",
    BadOpenReceived: "Idle: NOTIFICATION 5/3, close",
    ManualStop: "Idle: NOTIFICATION 6/2, close",
  },
};

const CASES = Object.keys(TABLE).flatMap((state) =>
  Object.keys(EVENTS).map((event) => {
    const expected = TABLE[state as StateName][event];
    return [state as StateName, event, expected ?? `${state}:`] as const;
  }),
);

describe("the state machine (RFC 4271 8.2.2)", () => {
  it.each(CASES)("%s, %s -> %s", (state, event, expected) => {
    const traced = trace();
    const fsm = fsmIn(state, traced);
    step(fsm, EVENTS[event] as FsmEvent, 1000);
    expect(`${fsm.state}: ${traced.did.join(", ")}`.trim()).toBe(expected);
    if (fsm.state !== state) expect(fsm.reason).not.toBe(state === "OpenConfirm" ? undefined : "");
  });

  it("without a hold time there is neither hold timer nor KEEPALIVE", () => {
    const traced = trace({ ...CONFIG, holdTime: 0 });
    const fsm = fsmIn("Established", traced);
    expect(fsm.timers.next()).toBe(Number.POSITIVE_INFINITY);
  });

  it("the shorter hold time counts, and KEEPALIVEs come in a third of it", () => {
    const fsm = fsmIn("Established", trace());
    expect(fsm.negotiated).toMatchObject({
      holdTime: 6,
      keepaliveTime: 2,
      families: [4, 6],
      asOctets: 4,
      external: true,
    });
    expect(fsm.timers.next()).toBe(2000);
  });

  it("a passive peer is not dialled", () => {
    const traced = trace({ ...CONFIG, passive: true });
    const fsm = new Fsm(traced.host, true, 0);
    step(fsm, EVENTS["ManualStart"] as FsmEvent, 0);
    expect([fsm.state, traced.did, fsm.timers.next()]).toEqual(["Active", [], Number.POSITIVE_INFINITY]);
  });

  it("the peer may take four minutes for its OPEN, and says nothing for a hold time at most after that", () => {
    const fsm = fsmIn("OpenSent", trace());
    expect(fsm.timers.running).toEqual([{ name: "Hold", due: 240_000 }]);
    step(fsm, EVENTS["OpenReceived"] as FsmEvent, 1000);
    expect(fsm.timers.running).toContainEqual({ name: "Hold", due: 7000 });
  });

  it("sends a KEEPALIVE a second at most (RFC 4271 4.4)", () => {
    const traced = trace({ ...CONFIG, holdTime: 3 });
    const fsm = fsmIn("Established", { ...traced, host: { ...traced.host, jitter: () => 0.75 } });
    expect(fsm.timers.running).toContainEqual({ name: "Keepalive", due: 1000 });
  });

  it("tries again later each time it fails in a row, half a minute at most", () => {
    const fsm = new Fsm(trace().host, true, 0);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      step(fsm, EVENTS["ManualStart"] as FsmEvent, 0);
      step(fsm, EVENTS["TcpConnected"] as FsmEvent, 0);
      step(fsm, EVENTS["NotificationReceived"] as FsmEvent, 0);
      waits.push(fsm.timers.next());
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("says why it is where it is", () => {
    const fsm = fsmIn("Established", trace());
    step(fsm, EVENTS["HoldTimerExpires"] as FsmEvent, 0);
    expect(fsm.reason).toBe("sent Hold Timer Expired (nothing received for 6 s)");
  });
});
