/** For tests: one peer with nothing around it, whose every effect is written down. */
import { addressOf } from "../../ipam/net/address.ts";
import { MessageType } from "../wire/codes.ts";
import { encodeKeepalive } from "../wire/framer.ts";
import { encodeOpen, type Open } from "../wire/open.ts";
import type { Ending } from "./fsm.ts";
import { ourOpen } from "./negotiate.ts";
import { Peer } from "./peer.ts";
import type { PeerConfig } from "./peer-config.ts";
import { PEER_CONFIG } from "./testing.ts";

const TYPES = ["", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"];

export class PeerStand {
  readonly peer: Peer;
  /** `dial 2`, `2 OPEN`, `2 NOTIFICATION 6/7`, `close 2`, `up`, `down final`, `refresh 4 begin`. */
  readonly did: string[] = [];
  readonly sent: Uint8Array[] = [];
  endings: Ending[] = [];
  restarting = false;
  keptForwarding = false;
  #next = 2;

  constructor(config: Partial<PeerConfig> = {}) {
    this.peer = new Peer({ ...PEER_CONFIG, ...config }, this.#host(), 0);
  }

  /** What was done since the last time. */
  take(): string[] {
    return this.did.splice(0);
  }

  /** The OPEN of the other side: 10.0.0.1 in AS 65001, as it would be configured there. */
  static open(change: Partial<PeerConfig> = {}): Open {
    const routerId = addressOf("10.0.0.1");
    const there = { ...PEER_CONFIG, localAsNumber: 65001, asNumber: 64512, routerId, holdTime: 90, ...change };
    return ourOpen(there, { restarted: false, forwardingPreserved: true });
  }

  receiveOpen(connection: number, now: number, open: Open = PeerStand.open()): void {
    this.peer.received(connection, encodeOpen(open), now);
  }

  receiveKeepalive(connection: number, now: number): void {
    this.peer.received(connection, encodeKeepalive(), now);
  }

  /** Established over a connection that the peer opened. */
  acceptSession(connection: number, now: number, open?: Open): void {
    this.peer.accepted(connection, undefined, now);
    this.receiveOpen(connection, now, open);
    this.receiveKeepalive(connection, now);
  }

  #host() {
    const stand = this;
    return {
      dial() {
        const connection = stand.#next;
        stand.#next += 2;
        stand.did.push(`dial ${connection}`);
        return connection;
      },
      send(connection: number, octets: Uint8Array) {
        stand.sent.push(octets);
        const type = octets[18] as number;
        const code = type === MessageType.Notification ? ` ${octets[19]}/${octets[20]}` : "";
        stand.did.push(`${connection} ${TYPES[type]}${code}`);
      },
      close: (connection: number) => void stand.did.push(`close ${connection}`),
      up: () => void stand.did.push("up"),
      down(_peer: Peer, ending: Ending) {
        stand.endings.push(ending);
        stand.did.push(`down ${ending}`);
      },
      update: () => undefined,
      refresh: (_peer: Peer, family: number, kind: string) => void stand.did.push(`refresh ${family} ${kind}`),
      stateChanged: () => undefined,
      jitter: () => 1,
      isRestarting: () => stand.restarting,
      keptForwarding: () => stand.keptForwarding,
    };
  }
}
