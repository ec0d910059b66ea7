/** For tests: a RIB with peers, and one that listens. */
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { exportTerms } from "../policy/export-terms.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { NEGOTIATED, PEER_CONFIG } from "../session/testing.ts";
import { HEADER_LENGTH } from "../wire/codes.ts";
import { isFault } from "../wire/fault.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { announcements, messagesIn, readUpdate, withdrawals } from "../wire/testing.ts";
import { AdjRibIn } from "./adj-rib-in.ts";
import { Member } from "./member.ts";
import { describeGateway } from "./next-hops.ts";
import { Rib } from "./rib.ts";
import type { UpdateGroup } from "./update-group.ts";

/** External peer n: 10.0.0.n, AS 65000 + n. */
export function peerConfig(n: number): PeerConfig {
  return {
    ...PEER_CONFIG,
    name: `p${n}`,
    address: addressOf(`10.0.0.${n}`),
    asNumber: 65000 + n,
    routerId: addressOf("10.0.0.99"),
    localAddresses: { 4: addressOf("10.0.0.99"), 6: addressOf("fd00::99") },
  };
}

export function pathOf(n: number, extra: Partial<PathAttributes> = {}): PathAttributes {
  return { origin: 0, asPath: [{ type: 2, asNumbers: [65000 + n] }], nextHop: addressOf(`10.0.0.${n}`), ...extra };
}

/** A RIB with peers, told what they say as octets. */
export class TestRib extends Rib {
  readonly #ins = new Map<number, AdjRibIn>();
  readonly #negotiated: Negotiated;

  constructor(
    peers: readonly number[],
    negotiated = NEGOTIATED,
    change: (config: PeerConfig) => PeerConfig = (c) => c,
    forwards = true,
  ) {
    super(undefined, forwards);
    this.#negotiated = negotiated;
    this.updateUnderlay([{ prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 }]);
    for (const n of peers) {
      const peerAddress = addressOf(`10.0.0.${n}`);
      const { external } = negotiated;
      const peer = { name: `p${n}`, external, peerId: peerAddress, peerAddress };
      this.sources.set(n, { ...peer, client: false, attached: false });
      this.#ins.set(n, new AdjRibIn(this, n, change(peerConfig(n)), negotiated, undefined));
    }
  }

  receive(n: number, message: Uint8Array) {
    return (this.#ins.get(n) as AdjRibIn).update(message.subarray(HEADER_LENGTH));
  }

  reconfigure(n: number, config: PeerConfig): void {
    (this.#ins.get(n) as AdjRibIn).reconfigure(config);
  }

  hear(n: number, prefixes: readonly string[], extra: Partial<PathAttributes> = {}): void {
    const messages = announcements(4, prefixes.map(prefixOf), pathOf(n, extra)) as Uint8Array[];
    for (const message of messages) this.receive(n, message);
  }

  unhear(n: number, prefixes: readonly string[]): void {
    for (const message of withdrawals(4, prefixes.map(prefixOf))) this.receive(n, message);
  }

  decideAll(): void {
    while (this.decideMarked(1000));
  }

  /** What the forwarding table should hold: prefix to gateways. */
  forwardingText(): Record<string, string> {
    this.decideAll();
    this.takeForwardingChanges(Number.POSITIVE_INFINITY, () => undefined);
    const text = (prefix: Prefix) => formatPrefix(prefix);
    return Object.fromEntries(
      [...this.forwarding()].map(({ prefix, gateways }) => [
        text(prefix),
        gateways
          .map((gateway) => describeGateway(gateway).replace(/%.*/, ""))
          .sort()
          .join(),
      ]),
    );
  }

  get leftovers(): number[] {
    return [this.attributes.size, this.families[4].prefixes.size, this.families[4].paths.size];
  }

  negotiatedTerms(config: PeerConfig) {
    return exportTerms(config, this.#negotiated, 4, undefined);
  }
}

/** A peer that is told: what it holds after every message so far. */
export class Listener {
  readonly member: Member;
  /** Prefix (with add-path: and identifier) to AS_PATH in hex. */
  readonly holds = new Map<string, string>();
  group: UpdateGroup;
  congested = false;
  endsOfRib = 0;
  /** How often it was told each of them so far. */
  readonly heard = new Map<string, number>();
  readonly #rib: TestRib;

  constructor(rib: TestRib, source: number, config = peerConfig(source)) {
    this.#rib = rib;
    const listener = this;
    this.member = new Member(source, {
      get congested() {
        return listener.congested;
      },
      send: (octets) => messagesIn(octets).forEach((message) => listener.#take(message)),
      refreshed: () => undefined,
    });
    this.group = rib.join(rib.negotiatedTerms(config), this.member);
  }

  /** Everything there is to say, decided before. */
  listen(): Record<string, string> {
    this.#rib.decideAll();
    let now = 0;
    while (this.group.nextDue(now) <= now) this.group.work(now++);
    return Object.fromEntries(this.holds);
  }

  #take(message: Uint8Array): void {
    const { addPath } = this.group.terms;
    const update = readUpdate(message.subarray(HEADER_LENGTH), addPath ? [4, 6] : []);
    if (isFault(update)) throw new Error(update.text);
    if (update.endOfRib !== undefined) this.endsOfRib++;
    const key = ({ prefix, pathId }: { prefix: Prefix; pathId: number }) =>
      addPath ? `${formatPrefix(prefix)} ${pathId}` : formatPrefix(prefix);
    for (const one of update.withdrawn) this.holds.delete(key(one));
    for (const one of update.announced) {
      this.heard.set(key(one), (this.heard.get(key(one)) ?? 0) + 1);
      this.holds.set(key(one), Buffer.from(update.attributes).toString("hex"));
    }
  }
}
