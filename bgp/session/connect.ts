/** Connect (RFC 4271 8.2.2): our connection attempt is under way. */
import { encodeOpen } from "../wire/open.ts";
import { type Fsm, LARGE_HOLD_TIME_S, type Next, type StateHandler } from "./fsm.ts";

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
      return { state: "Connect", reason: "no answer to the connection attempt, trying again" };
    }
    case "ManualStop":
      return fsm.toIdle("stopped", now, "final");
    default:
      return undefined;
  }
};

/** A connection is there, whoever opened it: say who we are. */
export function sendOpen(fsm: Fsm, connection: number, now: number): Next {
  fsm.connection = connection;
  fsm.timers.clear("ConnectRetry");
  fsm.send(encodeOpen(fsm.host.ourOpen()));
  fsm.startTimer("Hold", LARGE_HOLD_TIME_S, now);
  return { state: "OpenSent", reason: "connected" };
}
