/** The testers' end of the wire: TCP connections made in their network namespace, by a program that runs there. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inside } from "../harness/command.ts";
import { Bell } from "./bell.ts";
import { hex, type Octets } from "./octets.ts";

const PROGRAM = fileURLToPath(new URL("many-sockets.ts", import.meta.url));

/** Who hears of a connection. */
export interface Listener {
  onConnected(): void;
  onData(octets: Octets): void;
  onClosed(why: string): void;
}

export class Network {
  /** Rung at every change that a session sees. */
  readonly bell = new Bell();
  readonly #process: ChildProcess;
  readonly #listeners = new Map<string, Listener>();
  readonly #accept = new Map<string, (id: string) => Listener>();
  #said = "";
  #last = 0;

  /** `netns` undefined: where this process is. */
  constructor(netns: string | undefined, node: string) {
    const command = [node, "--no-warnings", PROGRAM];
    const [file = "", ...args] = netns === undefined ? command : inside(netns, command);
    this.#process = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdout?.setEncoding("utf8").on("data", (chunk: string) => this.#hear(chunk));
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  dial(local: string, remote: string, port: number, listener: Listener): string {
    const id = `d${this.#last++}`;
    this.#listeners.set(id, listener);
    this.tell(`dial ${id} ${local} ${remote} ${port}`);
    return id;
  }

  /** The function is told the number of each connection that comes in; gives the listener's own number. */
  listen(address: string, port: number, accept: (id: string) => Listener): string {
    const id = `l${this.#last++}`;
    this.#accept.set(id, accept);
    this.tell(`listen ${id} ${address} ${port}`);
    return id;
  }

  send(id: string, octets: Octets): void {
    this.tell(`send ${id} ${hex(octets)}`);
  }

  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  #hear(chunk: string): void {
    this.#said += chunk;
    const lines = this.#said.split("\n");
    this.#said = lines.pop() ?? "";
    for (const line of lines) {
      const [word, id = "", ...rest] = line.split(" ");
      if (word === "accepted") this.#accepted(id, rest[0] ?? "");
      const listener = this.#listeners.get(id);
      if (word === "connected") listener?.onConnected();
      else if (word === "data") listener?.onData(Uint8Array.from(Buffer.from(rest[0] ?? "", "hex")));
      else if (word === "closed") listener?.onClosed(rest.join(" "));
    }
  }

  #accepted(id: string, server: string): void {
    const listener = this.#accept.get(server)?.(id);
    if (listener !== undefined) this.#listeners.set(id, listener);
  }
}
