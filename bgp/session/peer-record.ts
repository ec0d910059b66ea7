/** What has happened to a peer so far, for operators: counters, the last words of either side, the last trouble. */
import { describeNotification, type Notification } from "../wire/notification.ts";
import type { Open } from "../wire/open.ts";
import type { FsmEvent, StateName } from "./fsm.ts";

const KEPT_NOTIFICATIONS = 10;

/** Whether a session or an attempt has come to nothing, other than by our own will; `state`: after the event. */
export function isSetback(state: StateName, event: FsmEvent["kind"], moved: boolean): boolean {
  // Nobody answered: the next attempt is under way already.
  if (!moved) return state === "Connect" && event === "ConnectRetryTimerExpires";
  return state === "Idle" ? event !== "ManualStop" : state === "Active" && event === "TcpFails";
}

export class PeerRecord {
  /** Number of times the session was established. */
  establishedCount = 0;
  /** The last thing that went wrong, in words; empty when nothing has. */
  lastError = "";
  #lastNotification = "";
  readonly messages = { received: 0, sent: 0 };
  /** By type of RFC 4271 4.1. */
  readonly messagesByType = { received: [0, 0, 0, 0, 0, 0], sent: [0, 0, 0, 0, 0, 0] };
  /** The last ones, the newest at the end; `at` on the speaker's clock (ms). */
  readonly notifications: { direction: "sent" | "received"; at: number; text: string }[] = [];
  /** Of the session, or of the last one. */
  opens: { readonly sent: Open | undefined; readonly received: Open | undefined } = {
    sent: undefined,
    received: undefined,
  };

  countSent(type: number, messages: number): void {
    this.messages.sent += messages;
    this.messagesByType.sent[type] = (this.messagesByType.sent[type] ?? 0) + messages;
  }

  /** `type` undefined: something that is no message. */
  protected countReceived(type: number | undefined): void {
    this.messages.received++;
    if (type !== undefined) this.messagesByType.received[type] = (this.messagesByType.received[type] ?? 0) + 1;
  }

  protected notified(direction: "sent" | "received", notification: Notification, now: number): void {
    this.notifications.push({ direction, at: now, text: describeNotification(notification) });
    if (this.notifications.length > KEPT_NOTIFICATIONS) this.notifications.shift();
  }

  /** A router that was shut down says so once; connections it refuses from then on must not hide its words. */
  protected failed(reason: string, event: FsmEvent["kind"]): void {
    const wordless = event === "TcpFails" || event === "ConnectRetryTimerExpires";
    if (!wordless) this.#lastNotification = reason;
    const before = this.#lastNotification;
    this.lastError = before === "" || before === reason ? reason : `${reason}; before that: ${before}`;
  }

  protected succeeded(): void {
    this.establishedCount++;
    this.lastError = "";
    this.#lastNotification = "";
  }
}
