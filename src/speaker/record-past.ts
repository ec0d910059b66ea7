/** What a recording still knows of the time it has forgotten: enough for the speaker to be where it was. */
import type { Fact, Network } from "../../bgp/facts.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { ConnectionPast } from "./record-connection.ts";
import { EntryKind, type Segment } from "./record-segments.ts";

/** What the speaker did, as far as a replay needs it: which connection is which peer's, and when it ended. */
export type Deed =
  | { readonly kind: "dial"; readonly connection: number; readonly peer: string }
  | { readonly kind: "close"; readonly connection: number }
  | { readonly kind: "end-restart" };

export type Told = Fact | Deed;

export class RecordPast {
  /** Of each kind that says how everything is from then on, the last. */
  readonly latest = new Map<"settings" | "underlay" | "peers", Fact>();
  /** By prefix: what was originated; undefined: nobody said. */
  networks: Map<string, Network> | undefined;
  readonly disabled = new Map<string, Fact>();
  readonly connections = new Map<number, ConnectionPast>();
  restartEnded = false;
  /** False as long as nothing was forgotten. */
  any = false;

  forget(segment: Segment): void {
    this.any = true;
    for (const { kind, number, octets } of segment.entries()) {
      if (kind === EntryKind.Received) this.connections.get(number)?.forget(octets);
      else if (kind === EntryKind.Value) this.#forgetTold(segment.values[number] as Told);
    }
  }

  /** What says how everything was, in an order in which a speaker can be told. */
  *whole(): Generator<Fact> {
    for (const kind of ["settings", "underlay"] as const) yield* this.#latest(kind);
    if (this.networks !== undefined) yield { kind: "networks", prefixes: [...this.networks.values()] };
    yield* this.#latest("peers");
  }

  *#latest(kind: "settings" | "underlay" | "peers"): Generator<Fact> {
    const fact = this.latest.get(kind);
    if (fact !== undefined) yield fact;
  }

  /** Peers taken down by an operator; not one that has a connection again. */
  takenDown(): Fact[] {
    const { peers = [] } = (this.latest.get("peers") ?? {}) as { peers?: readonly PeerConfig[] };
    const accepted = new Set<string>();
    for (const { opened } of this.connections.values()) {
      if (opened?.kind === "accepted") accepted.add(formatAddress(opened.address));
    }
    const isBack = (name: string) =>
      peers.some((peer) => peer.name === name && accepted.has(formatAddress(peer.address)));
    return [...this.disabled].filter(([name]) => !isBack(name)).map(([, fact]) => fact);
  }

  copy(): RecordPast {
    const copy = new RecordPast();
    copy.networks = this.networks && new Map(this.networks);
    for (const [kind, fact] of this.latest) copy.latest.set(kind, fact);
    for (const [peer, fact] of this.disabled) copy.disabled.set(peer, fact);
    for (const [connection, past] of this.connections) copy.connections.set(connection, past.copy());
    copy.restartEnded = this.restartEnded;
    copy.any = this.any;
    return copy;
  }

  #forgetTold(told: Told): void {
    switch (told.kind) {
      case "settings":
      case "underlay":
      case "peers":
        this.latest.set(told.kind, told);
        return;
      case "networks":
        this.networks = new Map(told.prefixes.map((network) => [formatPrefix(network), network]));
        return;
      case "networks-changed":
        this.networks ??= new Map();
        for (const prefix of told.withdrawn) this.networks.delete(formatPrefix(prefix));
        for (const network of told.announced) this.networks.set(formatPrefix(network), network);
        return;
      case "disable":
        this.disabled.set(told.peer, told);
        return;
      case "enable":
        this.disabled.delete(told.peer);
        return;
      case "dial":
        // Whoever is dialled is not taken down any more, by whatever ended that.
        this.disabled.delete(told.peer);
        this.connections.set(told.connection, new ConnectionPast(told.peer));
        return;
      case "connected": {
        const past = this.connections.get(told.connection);
        if (past !== undefined) past.opened = told;
        return;
      }
      case "accepted":
        this.connections.set(told.connection, new ConnectionPast(undefined, told));
        return;
      case "close":
      case "closed":
        this.connections.delete(told.connection);
        return;
      case "congested":
      case "drained": {
        const past = this.connections.get(told.connection);
        if (past !== undefined) past.congested = told.kind === "congested";
        return;
      }
      case "end-restart":
        this.restartEnded = true;
        return;
      default:
        // A reset or the end of everything: what came of it is in the facts that follow.
        return;
    }
  }
}
