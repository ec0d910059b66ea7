/** Idle (RFC 4271 8.2.2): no connection; refuses everything but a start. */
import type { Next, StateHandler } from "./fsm.ts";

export const idle: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "ManualStart":
    case "IdleHoldTimerExpires": {
      fsm.timers.clear("IdleHold");
      fsm.negotiated = undefined;
      if (!fsm.dials || fsm.host.config.passive) return { state: "Active", reason: "waiting for the peer to connect" };
      fsm.connection = fsm.host.dial();
      fsm.startTimer("ConnectRetry", fsm.host.config.connectRetryTime, now);
      return { state: "Connect", reason: "connecting" };
    }
    case "ManualStop":
      fsm.timers.clearAll();
      return { state: "Idle", reason: "stopped" };
    default:
      return undefined;
  }
};
