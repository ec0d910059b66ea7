/**
 * Where callers are waited for, and what they must know to be let in: passwords are set on the listening sockets, so
 * that the kernel drops a segment with a wrong signature before anybody sees it.
 *
 * A port that cannot be had is tried again; a password that a socket does not take keeps its callers out.
 */
import type { Server, Socket } from "node:net";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { type ListenAddress, listenTcp, type PeerPassword, setPeerPassword } from "../kernel/tcp.ts";
import type { Log } from "../telemetry/log.ts";

const RETRY_MS = 5_000;

/** Where to listen: the address absent for every address of both families. */
export interface Listen {
  readonly address?: ListenAddress;
  readonly port: number;
}

export interface ListenersOptions {
  readonly log: Log;
  readonly connection: (socket: Socket) => void;
  /** What an operator does about a port that somebody else has, to follow "stop it or". */
  readonly cure: string;
}

interface Place {
  readonly listen: Listen;
  server: Server | undefined;
  problem: string | undefined;
  retry: NodeJS.Timeout | undefined;
  closed: boolean;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #places = new Map<string, Place>();
  #passwords = new Map<string, PeerPassword>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Why it does not listen everywhere it should, in words. */
  get problems(): readonly string[] {
    return [...this.#places.values()].flatMap(({ problem }) => problem ?? []);
  }

  /** Listens there and nowhere else; sockets that are wanted still are not touched. */
  listen(wanted: readonly Listen[]): void {
    const named = new Map(wanted.map((listen) => [nameOf(listen), listen]));
    for (const [name, place] of this.#places) {
      if (named.has(name)) continue;
      this.#places.delete(name);
      close(place);
    }
    for (const [name, listen] of named) {
      if (this.#places.has(name)) continue;
      const place: Place = {
        listen,
        server: undefined,
        problem: `not listening on ${name} yet`,
        retry: undefined,
        closed: false,
      };
      this.#places.set(name, place);
      void this.#open(name, place);
    }
  }

  /** For connections to come; those that are there keep what they have. */
  setPasswords(wanted: readonly PeerPassword[]): void {
    const before = this.#passwords;
    this.#passwords = new Map(wanted.map((one) => [formatPrefix(one.peers), one]));
    const changes: { peers: PeerPassword["peers"]; password: string | undefined }[] = [];
    for (const [key, { peers }] of before) {
      if (!this.#passwords.has(key)) changes.push({ peers, password: undefined });
    }
    for (const [key, one] of this.#passwords) {
      if (before.get(key)?.password !== one.password) changes.push(one);
    }
    for (const { server } of this.#places.values()) {
      for (const { peers, password } of changes) if (server !== undefined) this.#setPassword(server, peers, password);
    }
  }

  close(): void {
    for (const place of this.#places.values()) close(place);
    this.#places.clear();
  }

  async #open(name: string, place: Place): Promise<void> {
    const { log, connection, cure } = this.#options;
    const { address, port } = place.listen;
    try {
      // 255 on the way out: a peer may demand TTL security (RFC 5082), and to others it makes no difference.
      const server = await listenTcp({ port, ttl: 255, ...(address === undefined ? {} : { addresses: [address] }) });
      if (place.closed) return void server.close();
      // Before anybody is let in: nothing is accepted until this function lets the event loop turn.
      for (const { peers, password } of this.#passwords.values()) this.#setPassword(server, peers, password);
      server.on("connection", connection);
      server.on("error", (error) => log.error("a listening socket failed", { listen: name, error }));
      place.server = server;
      place.problem = undefined;
      log.info("listening for BGP", address === undefined ? { port } : { address: nameOfAddress(address), port });
    } catch (error) {
      if (place.closed) return;
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === "EADDRINUSE" ? `another program has it; stop it or ${cure}` : message;
      const problem = `cannot listen on ${name}: ${why}`;
      if (place.problem !== problem) log.error(problem);
      place.problem = problem;
      place.retry = setTimeout(() => void this.#open(name, place), RETRY_MS);
      place.retry.unref();
    }
  }

  #setPassword(server: Server, peers: PeerPassword["peers"], password: string | undefined): void {
    try {
      setPeerPassword(server, peers, password);
    } catch (error) {
      // The loop sets it again on each connection, and turns away those where that fails.
      this.#options.log.error("a listening socket does not take a password; its peers are kept out", {
        peers: formatPrefix(peers),
        error,
      });
    }
  }
}

function close(place: Place): void {
  place.closed = true;
  clearTimeout(place.retry);
  place.server?.close();
}

function nameOf({ address, port }: Listen): string {
  return address === undefined ? `port ${port}` : `${nameOfAddress(address)} port ${port}`;
}

function nameOfAddress({ address, device }: ListenAddress): string {
  return device === undefined ? formatAddress(address) : `${formatAddress(address)}%${device}`;
}
