/**
 * A device that knows enough BGP to get sessions up and does nothing with routes: `sink` drops them and answers the
 * End-of-RIB, `relay` copies octets to the receiver. Usage: bgp-nothing.ts sink|relay PORT
 */
import { createServer, type Socket } from "node:net";
import { DEVICE, GENERATOR_ADDRESS, toNumber } from "./bgp/addresses.ts";
import { endOfRib, keepalive, open, TYPE } from "./bgp/message.ts";
import { MessageStream } from "./bgp/message-stream.ts";

const [mode, port] = process.argv.slice(2);
const END_OF_RIB = Buffer.from(endOfRib());
let receiver: Socket | undefined;

const server = createServer({ noDelay: true }, (socket) => {
  if (socket.remoteAddress === GENERATOR_ADDRESS) receiver = socket;
  socket.on("error", () => socket.destroy());
  let up = false;
  const handshake = new MessageStream((octets, from) => {
    if (octets[from + 18] === TYPE.open) socket.write(Buffer.concat([answer(), keepalive()]));
    if (octets[from + 18] === TYPE.keepalive) up = true;
  });
  const route = mode === "sink" ? sink(socket) : relay(socket);
  // The generator waits for the handshake to end before it sends anything else.
  socket.on("data", (octets) => (up ? route(octets) : handshake.push(octets)));
});
server.listen(Number(port), DEVICE.address);

function answer(): Uint8Array {
  return open({ asNumber: DEVICE.asNumber, holdTime: 180, routerId: toNumber(DEVICE.address) });
}

function sink(socket: Socket): (octets: Buffer) => void {
  let tail = Buffer.alloc(0);
  return (octets) => {
    tail = Buffer.concat([tail, octets.subarray(-END_OF_RIB.length)]).subarray(-END_OF_RIB.length);
    if (tail.equals(END_OF_RIB)) socket.write(END_OF_RIB);
  };
}

function relay(socket: Socket): (octets: Buffer) => void {
  return (octets) => {
    if (socket === receiver || receiver?.write(octets) !== false) return;
    socket.pause();
    receiver.once("drain", () => socket.resume());
  };
}
