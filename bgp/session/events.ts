/** What a whole message, or a timer that is due, means to the state machine. */
import { MessageType } from "../wire/codes.ts";
import type { RawMessage } from "../wire/framer.ts";
import { decodeNotification } from "../wire/notification.ts";
import { decodeOpen } from "../wire/open.ts";
import type { FsmEvent } from "./fsm.ts";
import type { TimerName } from "./timers.ts";

export function eventOf({ type, body }: RawMessage): FsmEvent {
  switch (type) {
    case MessageType.Open:
      return { kind: "OpenReceived", open: decodeOpen(body) };
    case MessageType.Update:
      return { kind: "UpdateReceived", body };
    case MessageType.Notification:
      return { kind: "NotificationReceived", notification: decodeNotification(body) };
    case MessageType.RouteRefresh:
      return { kind: "RouteRefreshReceived", body };
    default:
      return { kind: "KeepaliveReceived" };
  }
}

export const TIMER_EVENT: Readonly<Record<TimerName, FsmEvent>> = {
  ConnectRetry: { kind: "ConnectRetryTimerExpires" },
  IdleHold: { kind: "IdleHoldTimerExpires" },
  Hold: { kind: "HoldTimerExpires" },
  Keepalive: { kind: "KeepaliveTimerExpires" },
  SendHold: { kind: "SendHoldTimerExpires" },
};
