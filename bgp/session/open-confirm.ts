/** OpenConfirm (RFC 4271 8.2.2): both OPENs are there, the peer's first KEEPALIVE is awaited. */
import { ErrorCode } from "../wire/codes.ts";
import { encodeKeepalive } from "../wire/framer.ts";
import type { Next, StateHandler } from "./fsm.ts";

export const openConfirm: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "KeepaliveReceived":
      fsm.restartHoldTimer(now);
      return { state: "Established", reason: "" };
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
    case "UpdateReceived":
    case "RouteRefreshReceived":
      return fsm.unexpected(2, event.kind, now);
    case "ManualStop":
      return fsm.notify(event.notification, "", now);
    default:
      return undefined;
  }
};
