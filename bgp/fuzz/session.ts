/**
 * A speaker between a peer that says anything and one that behaves: the speaker must not fall, must not tell the good
 * peer anything it could not read, must not end its session, and must forget the bad one wholly in the end.
 */
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Work } from "../facts.ts";
import { ourOpen } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { PEER_CONFIG } from "../session/testing.ts";
import { Speaker } from "../speaker.ts";
import { checkAttributes } from "../wire/attributes.ts";
import { MessageType } from "../wire/codes.ts";
import { isFault } from "../wire/fault.ts";
import { encodeKeepalive, Framer } from "../wire/framer.ts";
import { encodeOpen } from "../wire/open.ts";
import { UpdateReader } from "../wire/update.ts";
import { Messages } from "./messages.ts";
import { mutated } from "./mutate.ts";

const OUR_AS = 64999;
const LONGEST_RUN = 200;
const MOST_TURNS = 10_000;
const UNDERLAY = ["10.0.0.0/24", "fd00::/64"].map((text) => ({
  prefix: prefixOf(text),
  via: [{ interfaceIndex: 2 }],
  metric: 0,
}));
const READER = new UpdateReader();

function configOf(n: number, asNumber: number): PeerConfig {
  return {
    ...PEER_CONFIG,
    name: `p${n}`,
    address: addressOf(`10.0.0.${n}`),
    asNumber,
    localAsNumber: OUR_AS,
    routerId: addressOf("10.0.0.99"),
    passive: true,
    holdTime: 90,
    restartTime: undefined,
    extendedMessages: false,
    localAddresses: { 4: addressOf("10.0.0.99"), 6: addressOf("fd00::99") },
    clusterId: addressOf("10.0.0.99"),
  };
}

export class FuzzedSession {
  readonly #random: () => number;
  readonly #speaker: Speaker;
  readonly #bad: PeerConfig;
  readonly #good: PeerConfig;
  readonly #twoOctets: boolean;
  readonly #framer = new Framer();
  #connection = 1;
  #goodConnection = 0;
  #badConnection = 0;
  #now = 0;
  /** What the bad peer sent last, the newest at the end. */
  readonly sent: Uint8Array[] = [];

  constructor(random: () => number) {
    this.#random = random;
    this.#speaker = new Speaker({ random, restarting: false });
    const some = (probability: number) => random() < probability;
    const external = some(0.6);
    const addPath = some(0.3);
    this.#twoOctets = some(0.2);
    this.#bad = {
      ...configOf(1, external ? 65001 : OUR_AS),
      addPath: { send: addPath, receive: addPath },
      extendedMessages: some(0.5),
      extendedNextHop: some(0.3),
      role: external && some(0.2) ? "provider" : undefined,
      restartTime: some(0.5) ? 60 : undefined,
      restartOnNotification: some(0.5),
      longLivedStaleTime: some(0.3) ? 60 : undefined,
      reflectorClient: !external && some(0.5),
      ...(some(0.2) && { maxPrefixes: { limit: 20, action: some(0.5) ? "block" : "restart", restartAfter: 1 } }),
    };
    const goodExternal = some(0.5);
    this.#good = {
      ...configOf(2, goodExternal ? 65002 : OUR_AS),
      addPath: { send: some(0.3), receive: false },
      removePrivateAs: some(0.2),
      routeServerClient: goodExternal && some(0.2),
      gracefulShutdown: some(0.1),
    };
  }

  /** A few hundred messages, right and wrong; throws when something is not as it must be. */
  run(): void {
    const tell = this.#speaker.tell.bind(this.#speaker);
    tell({ kind: "underlay", routes: UNDERLAY }, 0);
    tell({ kind: "peers", peers: [this.#bad, this.#good] }, 0);
    this.#goodConnection = this.#open(this.#good);
    const manner = {
      asNumber: this.#bad.asNumber,
      external: this.#bad.asNumber !== OUR_AS,
      asOctets: this.#twoOctets ? 2 : 4,
      addPath: this.#bad.addPath.send,
      maxMessageLength: this.#bad.extendedMessages ? 65_535 : 4096,
    } as const;
    const messages = new Messages(this.#random, manner);
    for (let left = Math.floor(this.#random() * LONGEST_RUN); left > 0; left--) {
      if (this.#badConnection === 0) this.#badConnection = this.#open(this.#bad);
      const message = messages.next();
      this.#receive(this.#random() < 0.6 ? message : mutated(message, this.#random));
      if (this.#random() < 0.02) this.#goOn(this.#random() * 100_000);
    }
    this.#end();
  }

  /** The connection's number; the bad peer's OPEN may be damaged, too, and its session never come about. */
  #open(config: PeerConfig): number {
    const connection = this.#connection;
    this.#connection += 2;
    const { routerId, address, asNumber } = config;
    const theirs: PeerConfig = {
      ...config,
      localAsNumber: asNumber,
      asNumber: OUR_AS,
      routerId: address,
      address: routerId,
    };
    const side: PeerConfig = { ...theirs, holdTime: 0, addPath: { send: true, receive: true }, role: undefined };
    const open = ourOpen(side, { restarted: false, forwardingPreserved: this.#random() < 0.5 });
    const { fourOctetAs: _four, ...fewer } = open.capabilities;
    const bad = config === this.#bad;
    const said = bad && this.#twoOctets ? { ...open, capabilities: { ...fewer, fourOctetAs: undefined } } : open;
    const hello = encodeOpen(said);
    this.#speaker.tell({ kind: "accepted", connection, address }, this.#now);
    if (bad) this.#badConnection = connection;
    else this.#goodConnection = connection;
    this.#hand(connection, bad && this.#random() < 0.2 ? mutated(hello, this.#random) : hello);
    this.#hand(connection, encodeKeepalive());
    return bad ? this.#badConnection : connection;
  }

  #receive(octets: Uint8Array): void {
    this.sent.push(octets);
    if (this.sent.length > 8) this.sent.shift();
    const cut = Math.floor(this.#random() * octets.length);
    for (const chunk of [octets.slice(0, cut), octets.slice(cut)]) {
      if (chunk.length > 0 && this.#badConnection !== 0) this.#hand(this.#badConnection, chunk);
    }
  }

  #hand(connection: number, octets: Uint8Array): void {
    this.#speaker.tell({ kind: "received", connection, octets }, this.#now);
    this.#turn();
  }

  #goOn(milliseconds: number): void {
    this.#now += milliseconds;
    this.#turn();
  }

  #turn(): void {
    let turns = 0;
    do {
      for (const work of this.#speaker.work(this.#now)) this.#do(work);
      this.#speaker.takeForwardingChanges(Number.POSITIVE_INFINITY, () => undefined);
      if (++turns > MOST_TURNS) throw new Error("the speaker has work to do for ever");
    } while (this.#speaker.nextDue(this.#now) <= this.#now);
  }

  #do(work: Work): void {
    if (work.kind === "close") {
      if (work.connection === this.#badConnection) this.#badConnection = 0;
      else if (work.connection === this.#goodConnection) throw new Error("the good peer's session was closed");
    } else if (work.kind === "send" && work.connection === this.#goodConnection) {
      this.#framer.push(work.octets);
      for (let message = this.#framer.next(); message !== undefined; message = this.#framer.next()) {
        if (isFault(message)) throw new Error(`to the good peer: ${message.text}`);
        if (message.type === MessageType.Notification) throw new Error("the good peer was sent a NOTIFICATION");
        if (message.type === MessageType.Update) this.#listen(message.body);
      }
    }
  }

  /** Every UPDATE to the good peer is without a fault in any part. */
  #listen(body: Uint8Array): void {
    const addPathReceive = this.#good.addPath.send ? ([4, 6] as const) : [];
    const fault =
      READER.read(body, { addPathReceive, extendedNextHop: false }) ?? READER.withdraw ?? READER.discarded[0];
    if (fault !== undefined) throw new Error(`UPDATE to the good peer: ${fault.text}`);
    const { attributes, attributesStart, attributesEnd } = READER;
    if (attributesEnd === attributesStart) return;
    const external = this.#good.asNumber !== OUR_AS;
    const context = { asOctets: 4, external, multiprotocol: false } as const;
    const checked = checkAttributes(attributes, attributesStart, attributesEnd, context);
    const problem = isFault(checked) ? checked : checked.discarded[0];
    if (problem !== undefined) throw new Error(`UPDATE to the good peer: ${problem.text}`);
  }

  #end(): void {
    this.#goodConnection = 0;
    this.#speaker.tell({ kind: "peers", peers: [] }, this.#now);
    this.#turn();
    const { attributes, families, groups } = this.#speaker.rib;
    const left = [attributes.size, families[4].prefixes.size, families[6].prefixes.size, groups.size];
    if (left.some((count) => count !== 0)) throw new Error(`left over: ${left.join(" ")}`);
  }
}
