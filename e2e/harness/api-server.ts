/**
 * The API server of e2e/kubernetes as a process of its own, on loopback or in a lab's namespace, with its faults at
 * hand. It ends with the process that started it, whatever becomes of that one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { AnswerFault, Match } from "../kubernetes/faults.ts";
import type { RequestCount } from "../kubernetes/request-counts.ts";
import { type Finished, inside, type RunOptions, run } from "./command.ts";
import { NODE } from "./program.ts";
import { eventually } from "./wait.ts";

const PROGRAM = fileURLToPath(new URL("../kubernetes/api-server.ts", import.meta.url));
const PATIENCE_MS = 30_000;

export interface ApiServerPlace {
  /** Absent: the machine's own loopback. */
  readonly netns?: string;
  /** Where it listens; the first is the one that clients are told. */
  readonly addresses?: readonly string[];
  /** Absent: one that is free. */
  readonly port?: number;
  /** Of certificates, tokens, kubeconfigs and what --keep keeps; absent: a new one, removed by `remove`. */
  readonly directory?: string;
  /** More of the server's own words: --keep, --reap-pods, --load FILE, … */
  readonly words?: readonly string[];
}

export interface ServerState {
  readonly revision: number;
  readonly watches: number;
  readonly connections: number;
  readonly objects: Readonly<Record<string, number>>;
  readonly rss: number;
}

export class ApiServer {
  readonly directory: string;
  readonly #place: ApiServerPlace;
  #child: ChildProcess | undefined;
  #port: number;
  #url = "";

  private constructor(place: ApiServerPlace) {
    this.#place = place;
    this.#port = place.port ?? 0;
    this.directory = place.directory ?? mkdtempSync(`${tmpdir()}/overland-api-server-`);
  }

  static async start(place: ApiServerPlace = {}): Promise<ApiServer> {
    const server = new ApiServer(place);
    try {
      await server.startAgain();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  get url(): string {
    return this.#url;
  }

  /** The admin's. */
  get kubeconfig(): string {
    return `${this.directory}/kubeconfig`;
  }

  get ca(): string {
    return readFileSync(`${this.directory}/ca.crt`, "utf8");
  }

  get adminToken(): string {
    return /token: (\S+)/.exec(readFileSync(this.kubeconfig, "utf8"))?.[1] ?? "";
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the API server is not running");
    return this.#child.pid;
  }

  /** On the same port as before, with the same certificates and tokens; with --keep, with the same objects. */
  async startAgain(...words: readonly string[]): Promise<void> {
    const { netns, addresses = ["127.0.0.1"] } = this.#place;
    const where = addresses.flatMap((address) => ["--address", address]);
    const own = ["--dir", this.directory, "--port", String(this.#port), ...where, "--until-stdin-ends"];
    const command = [NODE, "--no-warnings", PROGRAM, ...own, ...(this.#place.words ?? []), ...words];
    const [file = "", ...args] = netns === undefined ? command : inside(netns, command);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", openSync(`${this.directory}/log`, "a")] });
    child.stdin?.on("error", () => {});
    this.#child = child;
    const { url, port } = await firstLine(child, this.directory);
    this.#url = url;
    this.#port = port;
  }

  /** Waits until the process is gone. After SIGTERM it serves open watches on, for as long as --shutdown-seconds. */
  async stop(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await gone;
  }

  /** SIGTERM; does not wait for the end of what it still serves. Another can be started on the same port at once. */
  async retire(): Promise<void> {
    this.#child?.kill("SIGTERM");
    this.#child = undefined;
    await eventually("the server takes no more", 10, () => !existsSync(`${this.directory}/control.sock`));
  }

  /** Stopped, and its directory gone unless that was given. */
  async remove(): Promise<void> {
    await this.stop();
    if (this.#place.directory === undefined) rmSync(this.directory, { recursive: true, force: true });
  }

  /** As the admin, or with another kubeconfig; gives how it ended. */
  kubectl(args: readonly string[], options: RunOptions & { readonly kubeconfig?: string } = {}): Promise<Finished> {
    const { kubeconfig = this.kubeconfig, ...rest } = options;
    // Its cache of discovery is this server's own: ports come again.
    const own = ["--kubeconfig", kubeconfig, "--cache-dir", `${this.directory}/kubectl-cache`];
    return run(["kubectl", ...own, ...args], { netns: this.#place.netns, ...rest });
  }

  /** Standard output; throws with what kubectl said when it fails. */
  async mustKubectl(
    args: readonly string[],
    options: RunOptions & { readonly kubeconfig?: string } = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, options);
    if (code === 0) return stdout;
    throw new Error(`kubectl ${args.join(" ")}: exit code ${code}: ${stderr || stdout}`);
  }

  async apply(...documents: readonly object[]): Promise<string> {
    const items = { apiVersion: "v1", kind: "List", items: documents };
    return await this.mustKubectl(["apply", "-f", "-"], { input: JSON.stringify(items) });
  }

  /** Makes or replaces objects with status and all, past checks and rights, as whoever looks after them would. */
  async put(...objects: readonly object[]): Promise<void> {
    await this.load(objects);
  }

  /** The same of very many. */
  async load(objects: Iterable<object>): Promise<void> {
    await this.#ask("/load", Array.from(objects, (object) => `${JSON.stringify(object)}\n`).join(""));
  }

  /** A token for somebody new; rights come by bindings to the name or the groups. */
  async user(name: string, ...groups: readonly string[]): Promise<string> {
    return ((await this.control("/users", { name, groups })) as { token: string }).token;
  }

  /** As a pod's own: `namespace/name`. */
  async serviceAccount(account: string, seconds = 86_400): Promise<string> {
    return ((await this.control("/users", { serviceAccount: account, seconds })) as { token: string }).token;
  }

  /** A kubeconfig file with a client certificate, as kubeadm and k3s give their admins. */
  async certificateKubeconfig(name: string, ...groups: readonly string[]): Promise<string> {
    const { certificate, key } = (await this.control("/certificates", { name, groups })) as Record<string, string>;
    const data = (text = "") => Buffer.from(text).toString("base64");
    const user = `client-certificate-data: ${data(certificate)}\n    client-key-data: ${data(key)}`;
    return this.#kubeconfigWith(name, user);
  }

  /** A kubeconfig file for a token. */
  kubeconfigOf(name: string, token: string): string {
    return this.#kubeconfigWith(name, `token: ${token}`);
  }

  #kubeconfigWith(name: string, user: string): string {
    const file = `${this.directory}/kubeconfig-${name.replaceAll(/[^\w-]+/g, "-")}`;
    const text = readFileSync(this.kubeconfig, "utf8");
    writeFileSync(file, text.replace(/token: \S+/, user), { mode: 0o600 });
    return file;
  }

  async revoke(token: string): Promise<void> {
    await this.control("/revoke", { token });
  }

  /** The next `count` requests that match get this code; without a count all, until `clearFaults`. */
  async fail(fault: AnswerFault): Promise<void> {
    await this.control("/faults/answer", fault);
  }

  async delay(milliseconds: number, match: Match = {}): Promise<void> {
    await this.control("/faults/delay", { milliseconds, match });
  }

  async freeze(): Promise<void> {
    await this.control("/faults/freeze");
  }

  async thaw(): Promise<void> {
    await this.control("/faults/thaw");
  }

  /** Resets every connection and refuses new ones, until `clearFaults`. */
  async goAway(): Promise<void> {
    await this.control("/faults/refuse");
    await this.control("/faults/reset");
  }

  async resetConnections(): Promise<void> {
    await this.control("/faults/reset");
  }

  /** The next change ends so many watches in the middle of its line. */
  async cutNext(count: number, match: Match = {}): Promise<void> {
    await this.control("/faults/cut", { count, match });
  }

  async closeAfterEach(match: Match = {}): Promise<void> {
    await this.control("/faults/close-after-each", { match });
  }

  async clearFaults(): Promise<void> {
    await this.control("/faults/clear");
  }

  /** Former versions have expired. */
  async compact(): Promise<void> {
    await this.control("/compact");
  }

  /** Compacted, and every open watch is told 410 in its stream. */
  async expireWatches(): Promise<void> {
    await this.control("/expire");
  }

  async requests(match: Match = {}): Promise<RequestCount[]> {
    return (await this.control("/requests", { match })) as RequestCount[];
  }

  async forgetRequests(): Promise<void> {
    await this.control("/requests/clear");
  }

  async state(): Promise<ServerState> {
    return (await this.control("/state")) as ServerState;
  }

  async control(path: string, body: object = {}): Promise<unknown> {
    return JSON.parse(await this.#ask(path, JSON.stringify(body)));
  }

  #ask(path: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socketPath = `${this.directory}/control.sock`;
      const asked = request({ socketPath, path, method: "POST", agent: false, timeout: PATIENCE_MS }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("error", reject);
        answer.on("end", () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${text}`))));
      });
      asked.on("timeout", () => asked.destroy(new Error(`${path}: no answer`)));
      asked.on("error", reject);
      asked.end(body);
    });
  }
}

function firstLine(child: ChildProcess, directory: string): Promise<{ readonly url: string; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const give = (why: string) => {
      child.kill("SIGKILL");
      reject(
        new Error(`the API server did not start: ${why}: ${readFileSync(`${directory}/log`, "utf8").slice(-2000)}`),
      );
    };
    const limit = setTimeout(() => give("no answer in time"), PATIENCE_MS);
    child.once("error", (error) => give(error.message));
    child.once("exit", (code) => give(`exit code ${code}`));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).once("line", (line) => {
      clearTimeout(limit);
      child.removeAllListeners("exit");
      resolve(JSON.parse(line) as { url: string; port: number });
    });
  });
}
