/**
 * A program of its own, to be run inside a network namespace: one TCP connection, told what to do and telling what
 * happens
 * in lines. `dial ADDRESS PORT`, `send HEX`, `end`, `reset`; back come `connected`, `data HEX`, `closed WHY`.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

let socket: Socket | undefined;
const tell = (line: string) => process.stdout.write(`${line}\n`);

createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, first = "", second = ""] = line.split(" ");
  if (word === "dial") {
    let why = "";
    // Nothing more is heard of the one before.
    socket
      ?.removeAllListeners()
      .on("error", () => {})
      .destroy();
    socket = connect({ host: first, port: Number(second), noDelay: true });
    socket.on("connect", () => tell("connected"));
    socket.on("data", (octets) => tell(`data ${octets.toString("hex")}`));
    socket.on("error", (error) => (why = ` ${error.message}`));
    socket.on("close", () => tell(`closed${why}`));
  } else if (word === "send") socket?.write(Buffer.from(first, "hex"));
  else if (word === "end") socket?.end();
  else if (word === "reset") socket?.resetAndDestroy();
});
