/** Established (RFC 4271 8.2.2): routes are exchanged. */
import { ErrorCode } from "../wire/codes.ts";
import { encodeKeepalive } from "../wire/framer.ts";
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
    case "RouteRefreshReceived":
      fsm.restartHoldTimer(now);
      fsm.host.routeRefresh(event.body);
      return undefined;
    case "KeepaliveTimerExpires":
      fsm.send(encodeKeepalive());
      fsm.restartKeepaliveTimer(now);
      return undefined;
    case "TcpFails":
      return fsm.toIdle(event.reason, now);
    case "HoldTimerExpires": {
      const notification = { code: ErrorCode.HoldTimerExpired, subcode: 0, data: new Uint8Array(0) };
      return fsm.notify(notification, `nothing received for ${fsm.negotiated?.holdTime} s`, now);
    }
    case "NotificationReceived":
      return fsm.received(event.notification, now);
    case "MessageFault":
      return fsm.fault(event.fault, now);
    case "OpenReceived":
      return fsm.unexpected(3, event.kind, now);
    case "ManualStop":
      return fsm.notify(event.notification, "", now);
    default:
      return undefined;
  }
};
