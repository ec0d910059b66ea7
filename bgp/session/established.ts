/** Established (RFC 4271 8.2.2): routes are exchanged. */
import { encodeKeepalive } from "../wire/framer.ts";
import { ending } from "./ending.ts";
import type { Next, StateHandler } from "./fsm.ts";

export const established: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "UpdateReceived": {
      fsm.restartHoldTimer(now);
      const fault = fsm.host.update(event.body, now);
      return fault === undefined ? undefined : fsm.fault(fault, now);
    }
    case "KeepaliveReceived":
      fsm.restartHoldTimer(now);
      return undefined;
    case "RouteRefreshReceived": {
      fsm.restartHoldTimer(now);
      const fault = fsm.host.routeRefresh(event.body, now);
      return fault === undefined ? undefined : fsm.fault(fault, now);
    }
    case "SendHoldTimerExpires":
      // RFC 9687 3.2: nothing would reach the peer, a NOTIFICATION neither.
      return fsm.toIdle("the peer takes nothing (send hold timer expired)", now, "final");
    case "KeepaliveTimerExpires":
      fsm.send(encodeKeepalive());
      fsm.restartKeepaliveTimer(now);
      return undefined;
    case "OpenReceived":
      return fsm.unexpected(3, event.kind, now);
    default:
      return ending(fsm, event, now, `nothing received for ${fsm.negotiated?.holdTime} s`);
  }
};
