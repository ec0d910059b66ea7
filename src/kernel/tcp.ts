/**
 * TCP for BGP sessions: sockets made with libc, so that keys, TTL and source are set before the first SYN, then
 * handed to Node.js and ordinary from there on.
 */
import { createServer, type Server, Socket } from "node:net";
import { constants } from "node:os";
import { type Address, familyOf, formatAddress, isLinkLocal } from "../../ipam/net/address.ts";
import { hostPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { bind, close, listen, SOCK_NONBLOCK, SystemError, setSocketOption, socket } from "./ffi.ts";
import { listLinks } from "./links.ts";
import { AF_INET, AF_INET6 } from "./netlink/constants.ts";
import { inNetns } from "./netns.ts";
import * as options from "./tcp-options.ts";

const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** An address of this machine; with the interface it is on when it is link-local. */
export interface ListenAddress {
  readonly address: Address;
  readonly device?: string;
}

/** Who has to sign with the password: one peer, or a range of them. */
export interface PeerPassword {
  readonly peers: Prefix;
  readonly password: string;
}

export interface ListenOptions {
  /** Default: every address of both families. */
  readonly addresses?: readonly ListenAddress[];
  /** 0: any free one, the same on every address. */
  readonly port: number;
  readonly backlog?: number;
  /** TTL of the answers to a SYN: 255 where a peer may demand TTL security (RFC 5082), which costs others nothing. */
  readonly ttl?: number;
  /** MD5 passwords; more with {@link setPeerPassword}. */
  readonly passwords?: readonly PeerPassword[];
  /** Path of a network namespace; absent: the process's own. */
  readonly netns?: string;
}

export interface DialOptions {
  readonly address: Address;
  readonly port: number;
  readonly source?: Address;
  readonly sourcePort?: number;
  readonly ttl?: number;
  /** Accept only answers from at most this many hops away (RFC 5082); excludes `ttl`. */
  readonly ttlSecurity?: number;
  readonly password?: string;
  /** Interface to go out by; needed for a link-local address. */
  readonly device?: string;
  readonly netns?: string;
}

interface ListeningSocket {
  readonly fd: number;
  readonly family: 4 | 6;
}
const LISTENING = new WeakMap<Server, readonly ListeningSocket[]>();

/**
 * Listens; rejects when an address cannot be had. IPv4 and IPv6 get sockets of their own, so peers appear by their
 * plain addresses. One server answers for all: its "connection" events and its close() cover every address.
 */
export async function listenTcp(request: ListenOptions): Promise<Server> {
  const everywhere = request.addresses === undefined;
  const addresses = request.addresses ?? ([4, 6] as const).map((family) => ({ address: options.anyAddress(family) }));
  const sockets: ListeningSocket[] = [];
  const servers: Server[] = [];
  const listening: Promise<void>[] = [];
  let { port } = request;
  try {
    for (const address of addresses) {
      const family = familyOf(address.address);
      let fd: number;
      try {
        fd = listeningSocket(address, port, request);
      } catch (error) {
        // A kernel without IPv6 still serves IPv4.
        if (everywhere && family === 6 && (error as { code?: string }).code === "EAFNOSUPPORT") continue;
        throw error;
      }
      const server = createServer({ noDelay: true });
      servers.push(server);
      listening.push(adopt(server, fd, request.backlog ?? 1024));
      sockets.push({ fd, family });
      port = (server.address() as { port: number } | null)?.port ?? port;
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  // All at once: whoever waits for this listens for connections before the event loop looks for any.
  await Promise.all(listening);
  const joined = join(servers);
  LISTENING.set(joined, sockets);
  return joined;
}

function listeningSocket({ address, device }: ListenAddress, port: number, request: ListenOptions): number {
  const family = familyOf(address);
  return newSocket(family, request.netns, (fd) => {
    setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === 6) setSocketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    options.setControlTraffic(fd, family);
    if (request.ttl !== undefined) options.setTtl(fd, family, request.ttl);
    for (const { peers, password } of request.passwords ?? []) {
      if (familyOf(peers.address) === family) options.setMd5Key(fd, peers, password);
    }
    const scope = scopeOf(address, device, request.netns);
    bind(fd, options.socketAddress(address, port, scope), `${formatAddress(address)} port ${port}`);
    listen(fd, request.backlog ?? 1024);
  });
}

/** A non-blocking TCP socket that is closed again if preparing it fails. */
function newSocket(family: 4 | 6, netns: string | undefined, prepare: (fd: number) => void): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = inNetns(netns, () => socket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0));
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function adopt(server: Server, fd: number, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd, backlog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function join(servers: readonly Server[]): Server {
  const [first, ...others] = servers as [Server, ...Server[]];
  for (const other of others) {
    other.on("connection", (connection) => first.emit("connection", connection));
    other.on("error", (error) => first.emit("error", error));
  }
  const closeFirst = first.close.bind(first);
  first.close = (callback) => {
    for (const other of others) other.close();
    LISTENING.delete(first);
    return closeFirst(callback);
  };
  return first;
}

/** Sets or takes away (undefined) an MD5 password on a server of {@link listenTcp}, for connections to come. */
export function setPeerPassword(server: Server, peers: Prefix, password: string | undefined): void {
  for (const { fd, family } of LISTENING.get(server) ?? []) {
    if (family !== familyOf(peers.address)) continue;
    try {
      options.setMd5Key(fd, peers, password);
    } catch (error) {
      if (password !== undefined || (error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
}

/**
 * The terms of {@link DialOptions} for an accepted connection, once its peer is known. What came in before this call,
 * the handshake and perhaps a first segment, was held against the listening socket's passwords only, not its distance.
 * From now on nothing unsigned is taken where there is a password, also when the listening socket had none. Throws when
 * the kernel does not go along: close the connection then.
 */
export function secureAccepted(
  connection: Socket,
  peer: Address,
  terms: {
    readonly password?: string | undefined;
    readonly ttl?: number | undefined;
    readonly ttlSecurity?: number | undefined;
  },
): void {
  const { _handle: handle } = connection as unknown as { _handle: { fd: number } | null };
  if (handle === null || handle.fd < 0) return;
  const family = familyOf(peer);
  if (terms.ttlSecurity !== undefined) options.setTtlSecurity(handle.fd, family, terms.ttlSecurity);
  else if (terms.ttl !== undefined) options.setTtl(handle.fd, family, terms.ttl);
  if (terms.password !== undefined) options.setMd5Key(handle.fd, hostPrefix(peer), terms.password);
}

/** Connects; the outcome is the socket's "connect" or "error" event, also for a source address this machine lacks. */
export function dialTcp(request: DialOptions): Socket {
  const { address, port, device, password } = request;
  const family = familyOf(address);
  let fd: number;
  try {
    fd = newSocket(family, request.netns, (made) => {
      options.setControlTraffic(made, family);
      if (request.ttlSecurity !== undefined) options.setTtlSecurity(made, family, request.ttlSecurity);
      else if (request.ttl !== undefined) options.setTtl(made, family, request.ttl);
      if (device !== undefined) options.bindToDevice(made, device);
      if (password !== undefined) options.setMd5Key(made, hostPrefix(address), password);
      bindSource(made, request);
    });
  } catch (error) {
    return new Socket().destroy(error as Error);
  }
  // manualStart: without it the socket would be read before it is connected.
  const init = { fd, readable: true, writable: true, manualStart: true };
  const connection = new Socket(init);
  connection.setNoDelay(true);
  // Without a zone libuv takes a link-local address to be on the machine's first link.
  const zone = isLinkLocal(address) && family === 6 && device !== undefined ? `%${device}` : "";
  return connection.connect({ host: `${formatAddress(address)}${zone}`, port });
}

function bindSource(fd: number, { address, source, sourcePort = 0, device, netns }: DialOptions): void {
  if (source === undefined && sourcePort === 0) return;
  const from = source ?? options.anyAddress(familyOf(address));
  setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const scope = scopeOf(from, device, netns);
  bind(fd, options.socketAddress(from, sourcePort, scope), `${formatAddress(from)} port ${sourcePort}`);
}

/** The index that goes with a link-local address; 0 for any other. */
function scopeOf(address: Address, device: string | undefined, netns: string | undefined): number {
  if (address.length !== 16 || !isLinkLocal(address) || device === undefined) return 0;
  const index = listLinks(netns).find(({ name }) => name === device)?.index;
  if (index === undefined) throw new SystemError("bind", constants.errno.ENODEV, `to ${device}`);
  return index;
}
