/** What a node says to its router in BGP, with the moment the kernel had it on the wire. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { inside } from "../../harness/command.ts";

/** IPv4 TCP segments from the node that hold more than a KEEPALIVE. */
const moreThanKeepalive = (node: string) =>
  `src host ${node} and tcp port 179 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) > 19)`;

export class Wire {
  readonly #tcpdump: ChildProcess;
  /** Milliseconds since 1970, of each segment. */
  readonly #heard: number[] = [];
  #waiting: (() => void) | undefined;
  /** Resolves when it listens. */
  readonly ready: Promise<void>;

  constructor(netns: string, node: string) {
    const command = ["tcpdump", "-i", "any", "-n", "-l", "-tt", "--immediate-mode", moreThanKeepalive(node)];
    const [file = "", ...args] = inside(netns, command);
    this.#tcpdump = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    const said = createInterface({ input: this.#tcpdump.stderr as NodeJS.ReadableStream });
    this.ready = new Promise((resolve) => said.on("line", (line) => line.includes("listening on") && resolve()));
    createInterface({ input: this.#tcpdump.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const seconds = Number(line.split(" ", 1)[0]);
      if (!Number.isFinite(seconds)) return;
      this.#heard.push(seconds * 1000);
      this.#waiting?.();
    });
  }

  /** The first segment after that moment; undefined: none within the time. */
  async after(moment: number, patienceMs: number): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    const found = () => this.#heard.find((heard) => heard >= moment);
    this.#waiting = () => found() !== undefined && resolve();
    this.#waiting();
    await promise;
    clearTimeout(timer);
    this.#waiting = undefined;
    return found();
  }

  stop(): void {
    this.#tcpdump.kill("SIGTERM");
  }
}
