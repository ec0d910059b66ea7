/** Questions to the agent of this machine over its unix socket. */
import { request } from "node:http";
import { Failure } from "./failure.ts";

const TIMEOUT_MS = 5000;

/** What the path answers, as data. Every way to fail is a sentence. */
export async function askAgent(socket: string, path: string, method: "GET" | "POST" = "GET"): Promise<unknown> {
  const { status, body } = await answerOf(socket, path, method);
  if (status === 400) throw new Failure(errorIn(body), 2);
  if (status !== 200)
    throw new Failure(`the agent at ${socket} answered ${path} with ${status}: ${body.slice(0, 500).trim()}`);
  try {
    return JSON.parse(body);
  } catch {
    throw new Failure(`what listens at ${socket} is not an Overland agent: its answer to ${path} is not JSON`);
  }
}

/** What is wrong with what was asked for. */
function errorIn(body: string): string {
  try {
    return (JSON.parse(body) as { error?: string }).error ?? body;
  } catch {
    return body;
  }
}

function answerOf(socket: string, path: string, method: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: socket, path, method, headers: { host: "overland" }, timeout: TIMEOUT_MS },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => (body += part));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
        answer.on("error", (error: NodeJS.ErrnoException) => reject(new Failure(why(socket, error))));
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    asked.on("error", (error: NodeJS.ErrnoException) => reject(new Failure(why(socket, error))));
    asked.end();
  });
}

function why(socket: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
      return `no agent runs here: ${socket} does not exist; start the agent, or name its socket with --socket`;
    case "ECONNREFUSED":
      return `no agent runs here: nobody listens at ${socket}; start the agent, or name its socket with --socket`;
    case "EACCES":
    case "EPERM":
      return `the agent's socket ${socket} is for root only; use sudo`;
    default:
      return `the agent at ${socket} cannot be asked: ${error.message}`;
  }
}
