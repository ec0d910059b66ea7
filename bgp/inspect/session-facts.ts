/** What a session remembers of itself, for those who look at it. */
import type { Neighbor } from "../neighbor.ts";
import type { Peer } from "../session/peer.ts";
import { MessageType } from "../wire/codes.ts";
import { viewCapabilities } from "./capabilities.ts";
import type { ErrorCount, MessageCounts, NotificationView, PeerView, Wall } from "./types.ts";

export function messageCounts({ messages, messagesByType }: Peer): PeerView["messages"] {
  const counts = (direction: "received" | "sent"): MessageCounts => {
    const of = (type: number) => messagesByType[direction][type] ?? 0;
    return {
      open: of(MessageType.Open),
      update: of(MessageType.Update),
      notification: of(MessageType.Notification),
      keepalive: of(MessageType.Keepalive),
      routeRefresh: of(MessageType.RouteRefresh),
      total: messages[direction],
    };
  };
  return { received: counts("received"), sent: counts("sent") };
}

/** A fault's key is `withdraw AS_PATH`. */
export function errorCounts({ faults }: Neighbor): ErrorCount[] {
  return [...faults].map(([key, count]) => {
    const space = key.indexOf(" ");
    return { attribute: key.slice(space + 1), action: key.slice(0, space), count };
  });
}

export function notificationViews({ notifications }: Peer, wall: Wall): NotificationView[] {
  return notifications.map(({ direction, at, text }) => ({ direction, at: wall(at), text }));
}

/** What runs, and in how many seconds it is due. */
export function runningTimers(peer: Peer, now: number): PeerView["timers"]["running"] {
  return peer.runningTimers.map(({ name, due }) => ({ timer: name, in: (due - now) / 1000 }));
}

export function sessionCapabilities({ opens: { sent, received } }: Peer): PeerView["capabilities"] {
  return {
    sent: sent === undefined ? [] : viewCapabilities(sent.capabilities),
    received: received === undefined ? [] : viewCapabilities(received.capabilities),
  };
}
