/** OpenConfirm (RFC 4271 8.2.2): both OPENs are there, the peer's first KEEPALIVE is awaited. */
import { encodeKeepalive } from "../wire/framer.ts";
import { ending } from "./ending.ts";
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
    case "OpenReceived":
    case "UpdateReceived":
    case "RouteRefreshReceived":
      return fsm.unexpected(2, event.kind, now);
    default:
      return ending(fsm, event, now, `nothing received for ${fsm.negotiated?.holdTime} s`);
  }
};
