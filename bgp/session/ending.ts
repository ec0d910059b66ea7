/** Events that end a connection in the same way in every state that has one (RFC 4271 8.2.2). */
import { ErrorCode } from "../wire/codes.ts";
import type { Fsm, FsmEvent, Next } from "./fsm.ts";

/** Undefined for every other event. `awaited`: what did not come in time, for the hold timer. */
export function ending(fsm: Fsm, event: FsmEvent, now: number, awaited: string): Next | undefined {
  switch (event.kind) {
    case "TcpFails":
      return fsm.toIdle(event.reason, now);
    case "HoldTimerExpires": {
      const notification = { code: ErrorCode.HoldTimerExpired, subcode: 0, data: new Uint8Array(0) };
      return fsm.notify(notification, awaited, now);
    }
    case "NotificationReceived":
      return fsm.received(event.notification, now);
    case "MessageFault":
      return fsm.fault(event.fault, now);
    case "ManualStop":
      return fsm.notify(event.notification, "", now);
    default:
      return undefined;
  }
}
