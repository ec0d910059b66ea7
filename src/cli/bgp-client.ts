/** Questions to a running speaker, in the agent or alone, over its unix socket: one answer, or a long one in parts. */
import { type IncomingMessage, request } from "node:http";
import { nearestName } from "../config/suggest.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { clientConfig } from "./session.ts";

const TIMEOUT_MS = 10_000;

export interface Question {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly method?: "GET" | "POST";
  readonly body?: object;
}

/** The answer as data. */
export async function ask<T>(options: OptionValues, question: Question): Promise<T> {
  const { socket } = clientConfig(options);
  const answer = await send(socket, question, TIMEOUT_MS);
  const text = await textOf(socket, answer);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Failure(`what listens at ${socket} is no Overland speaker: its answer to ${question.path} is not JSON`);
  }
}

/** The answer as it comes; it may take as long as it likes. */
export async function* askLong(options: OptionValues, question: Question): AsyncGenerator<Buffer> {
  const { socket } = clientConfig(options);
  const answer = await send(socket, question, undefined);
  try {
    for await (const part of answer) yield part as Buffer;
  } catch (error) {
    throw new Failure(`the speaker at ${socket} broke off in the middle of its answer: ${(error as Error).message}`);
  } finally {
    answer.destroy();
  }
}

/** Lines of parts, without their ends. */
export async function* linesOf(parts: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of parts) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function send(socketPath: string, question: Question, timeout: number | undefined): Promise<IncomingMessage> {
  const { path, query = {}, method = "GET", body } = question;
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const search = given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // An agent of its own: the shared one gives up on a connection that is silent for five seconds.
    const options = { socketPath, path: path + search, method, headers: { host: "overland" }, agent: false };
    const asked = request(timeout === undefined ? options : { ...options, timeout }, resolve);
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    asked.on("error", (error: NodeJS.ErrnoException) => reject(new Failure(why(socketPath, error))));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
  if (answer.statusCode !== 200)
    throw refusal(socketPath, path, answer.statusCode ?? 0, await textOf(socketPath, answer));
  return answer;
}

async function textOf(socket: string, answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of answer) parts.push(part as Buffer);
  } catch (error) {
    throw new Failure(why(socket, error as NodeJS.ErrnoException));
  }
  return Buffer.concat(parts).toString();
}

/** What the speaker says against the question, with the name that may have been meant. */
function refusal(socket: string, path: string, status: number, text: string): Failure {
  let said: { error?: unknown; peers?: unknown };
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    said = {};
  }
  if (typeof said.error !== "string")
    return new Failure(`${socket} answered ${path} with ${status}: ${text.slice(0, 300)}`);
  if (status === 404 && said.error.startsWith("no such path")) {
    return new Failure(`what listens at ${socket} has no BGP speaker to ask (${said.error})`);
  }
  if (Array.isArray(said.peers)) return new Failure(said.error + otherPeers(said.error, said.peers.map(String)));
  // A mistake in what was asked for, not a failure to do it.
  return new Failure(said.error, status === 400 ? 2 : 1);
}

const NAMES_SHOWN = 10;

function otherPeers(error: string, names: readonly string[]): string {
  if (names.length === 0) return "; there are no peers";
  const near = nearestName(error.replace("there is no peer ", ""), names);
  if (near !== undefined) return `; did you mean ${near}?`;
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more: overland bgp peers` : "";
  return `; there are ${names.slice(0, NAMES_SHOWN).join(", ")}${more}`;
}

function why(socket: string, error: NodeJS.ErrnoException): string {
  const start = "start the agent or a speaker, or name its socket with --socket";
  switch (error.code) {
    case "ENOENT":
      return `no speaker runs here: ${socket} does not exist; ${start}`;
    case "ECONNREFUSED":
      return `no speaker runs here: nobody listens at ${socket}; ${start}`;
    case "EACCES":
    case "EPERM":
      return `the socket ${socket} is for root only; use sudo`;
    default:
      return `the speaker at ${socket} cannot be asked: ${error.message}`;
  }
}
