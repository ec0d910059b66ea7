/** `overland node drain|undrain`: asks this node's agent, and follows what it does until it is done. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DrainAnswer } from "../agent/drain-routes.ts";
import { parseDuration } from "../config/duration.ts";
import { askAgent } from "./agent-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { clientConfig } from "./session.ts";
import { counted, note, print } from "./terminal.ts";

const PATH = "/v1/node/drain";
const LOOK_MS = 500;
const PODS_SHOWN = 5;

export async function drainNode(name: string | undefined, options: OptionValues): Promise<void> {
  const { socket } = clientConfig(options);
  const { message } = options as { message?: string };
  const terms = new URLSearchParams();
  if (message !== undefined) terms.set("message", message);
  for (const [field, option] of [
    ["prefer-others", "preferOthers"],
    ["pods", "pods"],
  ] as const) {
    const text = options[option] as string | undefined;
    if (text !== undefined) terms.set(field, String(secondsIn(field, text)));
  }
  await checkNode(socket, name);
  const asked = await tell(socket, `${PATH}?${terms.toString()}`);
  if (options["wait"] === false) return show(asked, options);
  show(await followed(socket, asked), options);
}

export async function undrainNode(name: string | undefined, options: OptionValues): Promise<void> {
  const { socket } = clientConfig(options);
  await checkNode(socket, name);
  const answer = await tell(socket, "/v1/node/undrain");
  if (answer.stays !== undefined) throw new Failure(`node ${answer.node} stays drained: ${answer.stays}`);
  show(answer, options);
}

/** Says each step on stderr. */
async function followed(socket: string, asked: DrainAnswer): Promise<DrainAnswer> {
  let answer = asked;
  let said = "";
  for (;;) {
    const text = stepText(answer);
    if (text !== said) note(text);
    said = text;
    if (answer.phase === "down") return answer;
    if (answer.phase === "serving") throw new Failure(`node ${answer.node} is not drained: somebody took it back`);
    await sleep(LOOK_MS);
    answer = await look(socket);
  }
}

function stepText({ node, phase, pods }: DrainAnswer): string {
  const shown = pods.slice(0, PODS_SHOWN).join(", ");
  const more = pods.length > PODS_SHOWN ? ` and ${pods.length - PODS_SHOWN} more` : "";
  switch (phase) {
    case "serving":
      return `node ${node}: in the network`;
    case "announcing":
      return `node ${node}: peers are asked to prefer other ways`;
    case "waiting":
      return `node ${node}: waiting for ${counted(pods.length, "pod")} to leave: ${shown}${more}`;
    case "withdrawn":
      return `node ${node}: everything is withdrawn; waiting for what is on its way`;
    case "down":
      return `node ${node}: sessions are shut down`;
  }
}

function show(answer: DrainAnswer, options: OptionValues): void {
  if (options["output"] === "json") return print(`${JSON.stringify(answer, null, 2)}\n`);
  const { node, phase, podsLeft } = answer;
  if (phase === "serving") return print(`node ${node} is in the network`);
  if (phase !== "down") return print(`node ${node} is being drained: overland node status`);
  const left = podsLeft === 0 ? "" : `; ${counted(podsLeft, "pod")} of its own still run there, cut off`;
  print(`node ${node} is drained${left}`);
}

/** The socket is one machine's: who names another node means that one. */
async function checkNode(socket: string, name: string | undefined): Promise<void> {
  const { node } = await look(socket);
  if (name === undefined || name === node) return;
  const there = `run this on ${name}, or: kubectl annotate node ${name} overland.dev/drain=MESSAGE`;
  throw new Failure(`the agent at ${socket} is that of node ${node}, not of ${name}; ${there}`, 2);
}

const look = async (socket: string): Promise<DrainAnswer> => checked(socket, await askAgent(socket, PATH));
const tell = async (socket: string, path: string): Promise<DrainAnswer> =>
  checked(socket, await askAgent(socket, path, "POST"));

function checked(socket: string, answer: unknown): DrainAnswer {
  const { node, phase } = (answer ?? {}) as Partial<DrainAnswer>;
  if (typeof node === "string" && typeof phase === "string") return answer as DrainAnswer;
  throw new Failure(`what listens at ${socket} is not an Overland agent: it says nothing of a drain`);
}

function secondsIn(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new Failure(`--${option} ${text} is no duration such as 10s or 5m`, 2);
  return Math.ceil(ms / 1000);
}
