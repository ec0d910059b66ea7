/** The TLS port: connections that can be reset, refused, or accepted and left without an answer. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Certificates } from "./certificates.ts";
import type { Faults } from "./faults.ts";

export class Listener {
  readonly #https: HttpsServer;
  readonly #faults: Faults;
  readonly #sockets = new Set<Socket>();
  readonly #addresses: readonly string[];
  #servers: NetServer[] = [];
  #port: number;

  constructor(
    { ca, certificate, key }: Certificates,
    addresses: readonly string[],
    port: number,
    faults: Faults,
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.#addresses = addresses;
    this.#port = port;
    this.#faults = faults;
    // Who has a certificate of this CA is known by it; the others need a token.
    const tls = { ca, cert: certificate, key, requestCert: true, rejectUnauthorized: false };
    this.#https = createHttps({ ...tls, keepAliveTimeout: 120_000, requestTimeout: 0 }, handle);
    this.#https.on("tlsClientError", () => {});
    this.#https.on("clientError", (_, socket) => socket.destroy());
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<void> {
    if (this.#servers.length > 0) return;
    for (const address of this.#addresses) this.#servers.push(await this.#listenOn(address));
  }

  /** New connections are refused; those that are open go on. */
  refuse(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  /** RST to everybody. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** FIN to everybody, whatever they are in the middle of. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #listenOn(address: string): Promise<NetServer> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => this.#accepted(socket));
      server.once("error", reject);
      server.listen(this.#port, address, () => {
        const bound = server.address();
        if (bound !== null && typeof bound === "object") this.#port = bound.port;
        resolve(server);
      });
    });
  }

  #accepted(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    const goOn = () => {
      if (!socket.destroyed) this.#https.emit("connection", socket);
    };
    if (!this.#faults.held(goOn)) goOn();
  }
}
