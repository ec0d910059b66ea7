import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

const ROOT = join(import.meta.dirname, "../../..");
const PLUGIN = join(ROOT, "dist/cni/overland");

let folder: string;
let agent: Server | undefined;

beforeAll(() => {
  const built = spawnSync(process.execPath, [join(import.meta.dirname, "build.mjs")], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stderr);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "overland-plugin-"));
});

afterEach(() => {
  agent?.close();
  agent = undefined;
  rmSync(folder, { recursive: true });
});

const socketPath = () => join(folder, "agent.sock");
const stateDir = () => join(folder, "a/state");
const config = (more = {}) =>
  JSON.stringify({
    cniVersion: "1.0.0",
    name: "overland",
    type: "overland",
    socket: socketPath(),
    stateDir: stateDir(),
    ...more,
  });

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
}

/** Runs the plugin as a runtime does. `env` holds CNI variables without their prefix. */
function run(
  env: Record<string, string>,
  stdin: string | Buffer,
  more: Record<string, string> = {},
  file = PLUGIN,
): Promise<Outcome> {
  const cni = Object.fromEntries(Object.entries(env).map(([name, value]) => [`CNI_${name}`, value]));
  const child = spawn(file, { env: { ...cni, ...more }, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => undefined).end(stdin);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on("close", (status) => resolve({ status, stdout: Buffer.concat(chunks).toString() }));
  });
}

/** Runs the plugin and reads the CNI error object it must answer with. */
async function runToError(env: Record<string, string>, stdin: string | Buffer): Promise<Record<string, unknown>> {
  const { status, stdout } = await run(env, stdin);
  expect(status).toBe(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const add = { COMMAND: "ADD", CONTAINERID: "c1", NETNS: "/run/netns/x", IFNAME: "eth0", PATH: "/opt/cni/bin" };
const del = { ...add, COMMAND: "DEL" };

/** An agent that hands each whole request to `answer`, which writes to the connection. Gives the requests it got. */
async function startAgent(answer: (connection: Socket) => void): Promise<{ head: string; body: Buffer }[]> {
  const requests: { head: string; body: Buffer }[] = [];
  agent = createServer((connection) => {
    let received = Buffer.alloc(0);
    connection.on("error", () => undefined);
    connection.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      const head = received.subarray(0, end).toString();
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (end < 0 || received.length < end + 4 + length) return;
      requests.push({ head, body: received.subarray(end + 4) });
      answer(connection);
    });
  });
  await new Promise<void>((resolve) => agent?.listen(socketPath(), resolve));
  return requests;
}

function reply(status: number, body: string): string {
  const head = [`HTTP/1.1 ${status} Whatever`, "Connection: close", `content-LENGTH: ${Buffer.byteLength(body)}`];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

describe("the plugin with its agent", () => {
  it("passes on every CNI variable and standard input as they are, and prints the answer", async () => {
    const requests = await startAgent((connection) => connection.end(reply(200, '{"ips":[]}')));
    const stdin = `  ${config({ note: "ünïcode, \\u0000" })}\n`;
    expect(await run(add, stdin, { HOME: "/secret" })).toEqual({ status: 0, stdout: '{"ips":[]}' });
    const [request] = requests;
    expect(request?.head.split("\r\n")).toEqual([
      "POST /cni HTTP/1.1",
      "Host: overland",
      "Connection: close",
      "Content-Type: application/x-overland-cni",
      `Content-Length: ${request?.body.length}`,
    ]);
    const end = request?.body.indexOf("\0\0") ?? -1;
    const variables = request?.body.subarray(0, end).toString().split("\0").sort();
    expect(variables).toEqual(
      Object.entries(add)
        .map(([name, value]) => `CNI_${name}=${value}`)
        .sort(),
    );
    expect(request?.body.subarray(end + 2).toString()).toBe(stdin);
  });

  it("says under which name it was executed, by a link of either kind", async () => {
    const requests = await startAgent((connection) => connection.end(reply(200, "")));
    symlinkSync(PLUGIN, join(folder, "overland-ipam"));
    for (const file of [join(folder, "overland-ipam"), `${PLUGIN}-ipam`, PLUGIN]) {
      // What the environment says of it is not passed on.
      expect(await run(add, config(), { PLUGIN: "overland-ipam" }, file)).toEqual({ status: 0, stdout: "" });
    }
    const said = requests.map(({ body }) => body.toString().split("\0\0")[0]?.split("\0").at(-1));
    expect(said).toEqual(["PLUGIN=overland-ipam", "PLUGIN=overland-ipam", expect.stringMatching(/^CNI_/)]);
  });

  it("prints an error of the agent and exits with 1", async () => {
    await startAgent((connection) => connection.end(reply(503, '{"code":11}')));
    expect(await run(add, config())).toEqual({ status: 1, stdout: '{"code":11}' });
  });

  it("passes on what is no JSON: the agent judges it", async () => {
    const requests = await startAgent((connection) => connection.end(reply(400, '{"code":6}')));
    expect(await run(add, "nonsense", { OVERLAND_SOCKET: socketPath() })).toEqual({ status: 1, stdout: '{"code":6}' });
    expect(requests).toHaveLength(1);
  });

  it("prefers the socket of the configuration's top level to the environment's", async () => {
    await startAgent((connection) => connection.end(reply(200, "{}")));
    const nested = {
      a: [{ socket: "/none" }, "socket", "x\\\\"],
      ipam: { socket: "/none" },
      n: -1.5e3,
      t: true,
      z: null,
    };
    expect(
      (await run(add, JSON.stringify({ ...nested, socket: socketPath() }), { OVERLAND_SOCKET: "/none" })).status,
    ).toBe(0);
    expect((await run(add, JSON.stringify(nested), { OVERLAND_SOCKET: socketPath() })).status).toBe(0);
  });

  it("takes a reply in pieces, one far larger than any buffer, and sends a request as large", async () => {
    const big = JSON.stringify({ text: "x".repeat(3_000_000) });
    const requests = await startAgent((connection) => {
      const whole = reply(200, big);
      connection.write(whole.slice(0, 7));
      setTimeout(() => connection.write(whole.slice(7, 20)), 20);
      setTimeout(() => connection.end(whole.slice(20)), 40);
    });
    const outcome = await run(add, config({ big }));
    expect(outcome.status).toBe(0);
    expect(outcome.stdout === big).toBe(true);
    expect(requests[0]?.body.length).toBeGreaterThan(3_000_000);
  });

  it.each([
    ["nothing", ""],
    ["half a head", "HTTP/1.1 200 OK\r\nContent-Le"],
    ["half a body", reply(200, '{"ips":[]}').slice(0, -3)],
    ["no length", "HTTP/1.1 200 OK\r\n\r\n{}"],
    ["no HTTP", "hello\r\n\r\n"],
    ["a failure without a reason", reply(500, "")],
  ])("asks to try again when the answer is %s", async (_, text) => {
    await startAgent((connection) => connection.end(text));
    expect(await runToError(add, config())).toMatchObject({ cniVersion: "1.0.0", code: 11 });
  });

  it("writes a DEL down whose answer was cut off: done twice it does no harm", async () => {
    await startAgent((connection) => connection.end(reply(200, "{}").slice(0, -1)));
    expect(await run(del, config())).toEqual({ status: 0, stdout: "" });
    expect(readdirSync(join(stateDir(), "pending-del"))).toEqual(["c1-eth0"]);
  });

  it("takes an answer that comes before the request was read", async () => {
    agent = createServer((connection) => {
      connection.on("error", () => undefined);
      connection.once("data", () => connection.end(reply(413, '{"code":7}')));
    });
    await new Promise<void>((resolve) => agent?.listen(socketPath(), resolve));
    expect(await run(add, config({ big: "x".repeat(200_000) }))).toEqual({ status: 1, stdout: '{"code":7}' });
  });
});

describe("the plugin by itself", () => {
  it.each([
    ["1.1.0", "1.1.0"],
    ["1.0.0", "1.0.0"],
    ["0.3.1", "0.3.1"],
    ["9.9.9", "1.1.0"],
    [",", "1.1.0"],
    ["no input", "1.1.0"],
  ])("answers VERSION asked in %s with %s and no agent", async (asked, answered) => {
    const { status, stdout } = await run(
      { COMMAND: "VERSION" },
      asked === "no input" ? "" : `{"cniVersion":"${asked}"}`,
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      cniVersion: answered,
      supportedVersions: ["0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    });
  });

  it("names a missing or unknown command", async () => {
    expect(await runToError({}, config())).toMatchObject({ code: 4, msg: expect.stringContaining("CNI_COMMAND") });
    expect(await runToError({ COMMAND: "NOPE" }, config())).toMatchObject({ code: 4, details: "NOPE" });
  });
});

describe("the plugin without its agent", () => {
  it.each(["ADD", "CHECK", "GC"])("answers %s with code 11 and what to do", async (command) => {
    expect(await runToError({ ...add, COMMAND: command }, config())).toEqual({
      cniVersion: "1.0.0",
      code: 11,
      msg: expect.stringMatching(/is it running on this node\? .*systemctl.*kubectl/),
      details: `connecting to ${socketPath()}: No such file or directory`,
    });
  });

  it("says so also when the socket's file was left behind", async () => {
    await startAgent(() => undefined);
    const path = socketPath();
    const left = join(folder, "left.sock");
    spawnSync("ln", [path, left]);
    await new Promise((resolve) => agent?.close(resolve));
    agent = undefined;
    expect(await runToError(add, config({ socket: left }))).toMatchObject({
      code: 11,
      details: `connecting to ${left}: Connection refused`,
    });
  });

  it("answers STATUS with code 50", async () => {
    expect(await runToError({ COMMAND: "STATUS" }, config())).toMatchObject({ code: 50 });
  });

  it.each([
    ["empty", ""],
    ["no JSON", "nonsense"],
    ["no object", "[]"],
    ["cut off", '{"a":{"b":1}'],
    ["followed by more", "{} {}"],
    ["malformed inside", '{"a":[1,]}'],
    ["too deep", `${'{"a":'.repeat(100)}1${"}".repeat(100)}`],
    ["interrupted by a zero octet", '{"a":1}\0{'],
    ["unterminated in a string", '{"a":"b'],
    ["unterminated in an escape", '{"a":"b\\'],
  ])("answers code 6 when standard input is %s", async (_, stdin) => {
    expect(await runToError({ ...add }, stdin)).toMatchObject({ cniVersion: "1.1.0", code: 6 });
  });

  it("writes a DEL down for the agent, the whole of it, readable by root alone, and succeeds", async () => {
    expect(await run(del, config())).toEqual({ status: 0, stdout: "" });
    const directory = join(stateDir(), "pending-del");
    expect(readdirSync(directory)).toEqual(["c1-eth0"]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "c1-eth0")).mode & 0o777).toBe(0o600);
    const text = readFileSync(join(directory, "c1-eth0"), "utf8");
    expect(text).toContain("CNI_COMMAND=DEL\0");
    expect(text.endsWith(`\0\0${config()}`)).toBe(true);
    const requests = await startAgent((connection) => connection.end(reply(200, "")));
    expect(await run(del, config())).toEqual({ status: 0, stdout: "" });
    expect(text).toBe(requests[0]?.body.toString());
  });

  it("writes down whose DEL it is, and gives an interface with a dash a name that no other has", async () => {
    await run({ ...del, IFNAME: "net-1" }, config(), {}, `${PLUGIN}-ipam`);
    const directory = join(stateDir(), "pending-del");
    expect(readdirSync(directory)).toEqual(["c1-net:1"]);
    expect(readFileSync(join(directory, "c1-net:1"), "utf8")).toContain("\0PLUGIN=overland-ipam\0\0");
  });

  it("keeps the last of several DELs of one attachment", async () => {
    await run(del, config());
    await run(del, config({ note: "second" }));
    const directory = join(stateDir(), "pending-del");
    expect(readdirSync(directory)).toEqual(["c1-eth0"]);
    expect(readFileSync(join(directory, "c1-eth0"), "utf8")).toContain("second");
  });

  it.each([
    ["a path", { CONTAINERID: "../../etc/x" }],
    ["hidden", { CONTAINERID: ".x" }],
    ["empty", { CONTAINERID: "" }],
    ["of other characters", { CONTAINERID: "a b" }],
    ["a path as interface", { IFNAME: "../x" }],
  ])("refuses a DEL whose name is %s with code 4 and writes nothing", async (_, wrong) => {
    expect(await runToError({ ...del, ...wrong }, config())).toMatchObject({ code: 4 });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says when a DEL cannot be written down", async () => {
    writeFileSync(join(folder, "a"), "in the way");
    expect(await runToError(del, config())).toMatchObject({ code: 5, msg: expect.stringContaining("Not a directory") });
    const long = await runToError({ ...del, CONTAINERID: "x".repeat(400) }, config({ stateDir: join(folder, "b") }));
    expect(long).toMatchObject({ code: 5, msg: expect.stringMatching(/File ?name too long/) });
    expect(readdirSync(join(folder, "b/pending-del"))).toEqual([]);
  });

  it("says when the socket's path is too long for a socket", async () => {
    expect(await runToError(add, config({ socket: `/${"x".repeat(200)}` }))).toMatchObject({
      code: 11,
      details: expect.stringMatching(/File ?name too long/),
    });
  });
});
