/** OpenSent (RFC 4271 8.2.2): our OPEN is out, the peer's is awaited. */
import { encodeKeepalive } from "../wire/framer.ts";
import { ending } from "./ending.ts";
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
    case "KeepaliveReceived":
    case "UpdateReceived":
    case "RouteRefreshReceived":
      return fsm.unexpected(1, event.kind, now);
    default:
      // TcpFails: RFC 4271 goes to Active here; a connection that dies before the OPEN is an error like any other.
      return ending(fsm, event, now, "no OPEN came");
  }
};
