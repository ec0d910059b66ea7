/** Connect (RFC 4271 8.2.2): our connection attempt is under way. */
import { formatAddress } from "../../ipam/net/address.ts";
import { encodeOpen } from "../wire/open.ts";
import { type Fsm, LARGE_HOLD_TIME_S, type Next, type StateHandler } from "./fsm.ts";
import type { PeerConfig } from "./peer-config.ts";

export const connect: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "TcpConnected":
      return sendOpen(fsm, event.connection, now);
    case "TcpFails":
      fsm.connection = undefined;
      fsm.startTimer("ConnectRetry", fsm.host.config.connectRetryTime, now);
      return { state: "Active", reason: event.reason };
    case "ConnectRetryTimerExpires": {
      if (fsm.connection !== undefined) fsm.host.close(fsm.connection);
      fsm.connection = fsm.host.dial();
      fsm.startTimer("ConnectRetry", fsm.host.config.connectRetryTime, now);
      return { state: "Connect", reason: noAnswer(fsm.host.config) };
    }
    case "ManualStop":
      return fsm.toIdle("stopped", now, "final");
    default:
      return undefined;
  }
};

function noAnswer({ address, device, port, connectRetryTime }: PeerConfig): string {
  const there = formatAddress(address) + (device === undefined ? "" : `%${device}`);
  return `no answer from ${there} port ${port} within ${connectRetryTime} s`;
}

/** A connection is there, whoever opened it: say who we are. */
export function sendOpen(fsm: Fsm, connection: number, now: number): Next {
  fsm.connection = connection;
  fsm.timers.clear("ConnectRetry");
  fsm.send(encodeOpen(fsm.host.ourOpen()));
  fsm.startTimer("Hold", LARGE_HOLD_TIME_S, now);
  return { state: "OpenSent", reason: "connected" };
}
