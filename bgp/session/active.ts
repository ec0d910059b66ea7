/** Active (RFC 4271 8.2.2): waiting for a connection from the peer, or for the next try of ours. */
import { sendOpen } from "./connect.ts";
import type { Next, StateHandler } from "./fsm.ts";

export const active: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "TcpConnected":
      return sendOpen(fsm, event.connection, now);
    case "ConnectRetryTimerExpires":
      fsm.connection = fsm.host.dial();
      fsm.startTimer("ConnectRetry", fsm.host.config.connectRetryTime, now);
      return { state: "Connect", reason: fsm.reason };
    case "TcpFails":
      return fsm.toIdle(event.reason, now);
    case "ManualStop":
      return fsm.toIdle("stopped", now, "final");
    default:
      return undefined;
  }
};
