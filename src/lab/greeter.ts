/**
 * A tiny HTTP server for VMs and pods: answers with the address it saw its client at, and prints the same as a JSON
 * line. That line in the *server's* log is the proof that nobody translated addresses on the way.
 *
 * Run as a program of its own: `node greeter.ts NAME PORT`.
 */
import { createServer } from "node:http";

const [name = "", port = "80"] = process.argv.slice(2);

createServer((request, response) => {
  const client = (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), client, path: request.url })}\n`);
  response.end(`${name} greets ${client}\n`);
}).listen(Number(port), "::");
