/**
 * A program of its own, to be run inside a network namespace: many TCP connections, each by a number, told what to do
 * and telling what happens in lines.
 *
 * In: `dial ID LOCAL REMOTE PORT`, `listen ID ADDRESS PORT`, `send ID HEX`, `end ID`, `reset ID`, `pause ID`,
 * `resume ID`. Out: `connected ID`, `data ID HEX`, `closed ID WHY`, and `accepted NEW ID` for the listener ID.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";

const sockets = new Map<string, Socket>();
const servers = new Map<string, Server>();
let accepted = 0;

const tell = (line: string) => process.stdout.write(`${line}\n`);

function keep(id: string, socket: Socket): void {
  let why = "";
  sockets.set(id, socket);
  socket.on("data", (octets) => tell(`data ${id} ${octets.toString("hex")}`));
  socket.on("error", (error) => (why = ` ${error.message}`));
  socket.on("close", () => {
    sockets.delete(id);
    tell(`closed ${id}${why}`);
  });
}

const COMMANDS: Readonly<Record<string, (id: string, words: readonly string[]) => void>> = {
  dial(id, [localAddress = "", host = "", port = ""]) {
    const socket = connect({ host, port: Number(port), localAddress, noDelay: true });
    socket.on("connect", () => tell(`connected ${id}`));
    keep(id, socket);
  },
  listen(id, [address, port = ""]) {
    const server = createServer({ noDelay: true }, (socket) => {
      const name = `a${accepted++}`;
      tell(`accepted ${name} ${id}`);
      keep(name, socket);
    });
    server.listen(Number(port), address);
    servers.set(id, server);
  },
  unlisten: (id) => void servers.get(id)?.close(),
  send: (id, [octets = ""]) => void sockets.get(id)?.write(Buffer.from(octets, "hex")),
  end: (id) => void sockets.get(id)?.end(),
  reset: (id) => void sockets.get(id)?.resetAndDestroy(),
  pause: (id) => void sockets.get(id)?.pause(),
  resume: (id) => void sockets.get(id)?.resume(),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [command = "", id = "", ...words] = line.split(" ");
    COMMANDS[command]?.(id, words);
  })
  // Whoever started this program is gone.
  .on("close", () => process.exit(0));
