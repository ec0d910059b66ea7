/** An HTTP server in a VM that answers with the address it sees its client at: what address translation cannot hide. */
import { must } from "./command.ts";
import { end, processesIn, startIn } from "./processes.ts";
import { NODE } from "./program.ts";

const PORT = 8080;
const SERVER = `require("node:http").createServer((asked, answer) =>
  answer.end(asked.socket.remoteAddress.replace(/^::ffff:(?=.*[.])/, ""))).listen(${PORT}, "::")`;

export interface WhoAmI {
  /** The client's address as the server at this address sees it. */
  seenFrom(client: string, server: string): Promise<string>;
  stop(): Promise<void>;
}

/** In this namespace; asked from others. */
export function startWhoAmI(netns: string, log: string): WhoAmI {
  startIn(netns, [NODE, "-e", SERVER], log);
  return {
    seenFrom(client, server) {
      const url = `http://${server.includes(":") ? `[${server}]` : server}:${PORT}/`;
      const patience = ["--retry", "25", "--retry-connrefused", "--retry-delay", "0", "--retry-max-time", "5"];
      return must(["curl", "-sS", "--noproxy", "*", "--max-time", "8", ...patience, url], { netns: client });
    },
    async stop() {
      await Promise.all(processesIn(netns, "createServer").map((process) => end(process)));
    },
  };
}
