/**
 * A BGP peer made by hand, octet by octet, to say what no router would. It dials; it runs in a namespace of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inside } from "./command.ts";
import { eventually } from "./wait.ts";

export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

export interface Message {
  readonly type: number;
  readonly body: Buffer;
}

const PROGRAM = fileURLToPath(new URL("raw-socket.ts", import.meta.url));

export class HandMadePeer {
  readonly #process: ChildProcess;
  #said = "";
  #stream = Buffer.alloc(0);
  #connected = false;
  #closed = true;

  /** In this namespace; ended with {@link stop}, or with the lab. */
  constructor(netns: string, node: string) {
    const [file = "", ...args] = inside(netns, [node, "--no-warnings", PROGRAM]);
    this.#process = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdout?.setEncoding("utf8").on("data", (chunk: string) => this.#hear(chunk));
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  async dial(address: string, port = 179): Promise<void> {
    await eventually(`${address} takes a connection`, 15, async () => {
      this.#stream = Buffer.alloc(0);
      this.#connected = false;
      this.#closed = false;
      this.#tell(`dial ${address} ${port}`);
      await eventually("connected or not", 2, () => this.#connected || this.#closed);
      return this.#connected;
    });
  }

  send(...octets: readonly Uint8Array[]): void {
    this.#tell(`send ${Buffer.concat(octets).toString("hex")}`);
  }

  end(): void {
    this.#tell("end");
  }

  /** The next message of this type; those before it are dropped. */
  async next(type: number, seconds = 5): Promise<Message> {
    return await eventually(`a message of type ${type} comes`, seconds, () => {
      for (let message = this.#take(); message !== undefined; message = this.#take()) {
        if (message.type === type) return message;
      }
      if (this.#closed) throw new Error("the connection is closed");
      return undefined;
    });
  }

  /** Code and subcode, as "3/1". */
  async notification(seconds = 5): Promise<string> {
    const { body } = await this.next(MessageType.notification, seconds);
    return `${body[0]}/${body[1]}`;
  }

  closed(seconds = 5): Promise<boolean> {
    return eventually("the agent closes the connection", seconds, () => this.#closed);
  }

  /** Dials and says OPEN and KEEPALIVE as a well-behaved peer; gives the agent's OPEN. */
  async establish(address: string, open: Uint8Array): Promise<Message> {
    await this.dial(address);
    this.send(open);
    const theirs = await this.next(MessageType.open);
    this.send(keepalive());
    await this.next(MessageType.keepalive);
    return theirs;
  }

  #tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  #hear(chunk: string): void {
    this.#said += chunk;
    const lines = this.#said.split("\n");
    this.#said = lines.pop() ?? "";
    for (const line of lines) {
      const [word, hex = ""] = line.split(" ");
      if (word === "connected") this.#connected = true;
      else if (word === "data") this.#stream = Buffer.concat([this.#stream, Buffer.from(hex, "hex")]);
      else this.#closed = true;
    }
  }

  #take(): Message | undefined {
    if (this.#stream.length < 19) return undefined;
    const length = this.#stream.readUInt16BE(16);
    if (this.#stream.length < length) return undefined;
    const message = { type: this.#stream.readUInt8(18), body: this.#stream.subarray(19, length) };
    this.#stream = this.#stream.subarray(length);
    return message;
  }
}

/** Header and body; `length` and `marker` may lie. */
export function message(
  type: number,
  body: Uint8Array,
  { length = 19 + body.length, marker = 0xff }: { length?: number; marker?: number } = {},
): Buffer {
  return Buffer.concat([Buffer.alloc(16, marker), u16(length), Buffer.from([type]), body]);
}

export const keepalive = (): Buffer => message(MessageType.keepalive, Buffer.alloc(0));

export interface OpenFields {
  readonly asNumber: number;
  readonly identifier: string;
  readonly version?: number;
  readonly holdTime?: number;
  /** Optional parameters as they are; else IPv4 unicast, IPv6 unicast and four-octet AS. */
  readonly parameters?: Uint8Array;
}

export function open({ asNumber, identifier, version = 4, holdTime = 90, parameters }: OpenFields): Buffer {
  const capabilities = [
    [1, 4, 0, 1, 0, 1],
    [1, 4, 0, 2, 0, 1],
    [65, 4, ...u32(asNumber)],
  ].flat();
  const optional = parameters ?? Buffer.from([2, capabilities.length, ...capabilities]);
  const head = [Buffer.from([version]), u16(Math.min(asNumber, 23456)), u16(holdTime), ipv4(identifier)];
  return message(MessageType.open, Buffer.concat([...head, Buffer.from([optional.length]), optional]));
}

export interface UpdateFields {
  readonly withdrawn?: Uint8Array;
  readonly attributes?: readonly Uint8Array[];
  readonly nlri?: Uint8Array;
}

export function update({ withdrawn = new Uint8Array(0), attributes = [], nlri = new Uint8Array(0) }: UpdateFields) {
  const all = Buffer.concat(attributes);
  return message(MessageType.update, Buffer.concat([u16(withdrawn.length), withdrawn, u16(all.length), all, nlri]));
}

export const attribute = (flags: number, type: number, value: readonly number[] | Uint8Array): Buffer =>
  Buffer.from([flags, type, value.length, ...value]);

export const ipv4 = (text: string): Buffer => Buffer.from(text.split(".").map(Number));

/** An IPv4 prefix as NLRI. */
export function nlri(text: string): Buffer {
  const [address = "", length = "32"] = text.split("/");
  return Buffer.from([Number(length), ...ipv4(address).subarray(0, Math.ceil(Number(length) / 8))]);
}

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
export const u32 = (value: number): Buffer =>
  Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]);
