/** OpenSent (RFC 4271 8.2.2): our OPEN is out, the peer's is awaited. */
import { isFault } from "../wire/fault.ts";
import { encodeKeepalive } from "../wire/framer.ts";
import type { Open } from "../wire/open.ts";
import { ending } from "./ending.ts";
import type { Next, StateHandler } from "./fsm.ts";
import { checkOpen, negotiate } from "./negotiate.ts";

export const openSent: StateHandler = (fsm, event, now): Next | undefined => {
  switch (event.kind) {
    case "OpenReceived": {
      const { open } = event;
      const fault = isFault(open) ? open : checkOpen(fsm.host.config, open);
      if (fault !== undefined) return fsm.fault(fault, now);
      fsm.negotiated = negotiate(fsm.host.config, open as Open);
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
