/** OpenSent (RFC 4271 8.2.2): our OPEN is out, the peer's is awaited. */
import { ErrorCode } from "../wire/codes.ts";
import { encodeKeepalive } from "../wire/framer.ts";
import type { Next, StateHandler } from "./fsm.ts";
import { checkOpen, negotiate } from "./negotiate.ts";

export const openSent: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "OpenReceived": {
      const fault = checkOpen(fsm.host.config, event.open);
      if (fault !== undefined) return fsm.fault(fault, now);
      fsm.remoteOpen = event.open;
      fsm.negotiated = negotiate(fsm.host.config, event.open);
      fsm.send(encodeKeepalive());
      fsm.restartHoldTimer(now);
      fsm.restartKeepaliveTimer(now);
      return { state: "OpenConfirm", reason: "OPEN received" };
    }
    case "TcpFails":
      // RFC 4271 8.2.2 goes to Active here; a connection that dies before the OPEN is an error like any other.
      return fsm.toIdle(event.reason, now);
    case "HoldTimerExpires": {
      const notification = { code: ErrorCode.HoldTimerExpired, subcode: 0, data: new Uint8Array(0) };
      return fsm.notify(notification, "no OPEN came", now);
    }
    case "NotificationReceived":
      return fsm.received(event.notification, now);
    case "MessageFault":
      return fsm.fault(event.fault, now);
    case "KeepaliveReceived":
    case "UpdateReceived":
    case "RouteRefreshReceived":
      return fsm.unexpected(1, event.kind, now);
    case "ManualStop":
      return fsm.notify(event.notification, "", now);
    default:
      return undefined;
  }
};
