import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import type { Store } from "../store.ts";
import { describeStore, WatchLog, write } from "../store-contract.ts";
import { openEtcdStore } from "./client.ts";
import { eventually, OwnTime } from "./etcd-clients-for-tests.ts";
import { EtcdForTests } from "./etcd-for-tests.ts";
import { mayPass, outcomeOf } from "./outcome.ts";

jest.setTimeout(20_000);

const time = new OwnTime();
afterAll(() => time.stop());

describe("with one etcd", () => {
  let etcd: EtcdForTests;
  beforeAll(async () => {
    etcd = await EtcdForTests.start();
  });
  afterAll(() => etcd.remove());

  describeStore("etcd", async () => {
    const options = { endpoints: [etcd.endpoint] };
    const [store, other] = [openEtcdStore(options), openEtcdStore(options)];
    return {
      store,
      other,
      stop: async () => {
        await write(other, { delete: (await other.listKeys("/overland/v1/test-")).slice(0, 128) });
        await Promise.all([store.close(), other.close()]);
      },
    };
  });

  it("lists more than a page at one revision", async () => {
    const store = openEtcdStore({ endpoints: [etcd.endpoint] });
    const key = (i: number) => `/paged/${String(i).padStart(5, "0")}`;
    for (let i = 0; i < 2500; i += 125) {
      await write(store, { put: Array.from({ length: 125 }, (_, j) => ({ key: key(i + j), value: String(i + j) })) });
    }
    const { entries } = await store.list("/paged/");
    expect(entries.map(({ value }) => Number(value))).toEqual(Array.from({ length: 2500 }, (_, i) => i));
    expect(await store.listKeys("/paged/")).toHaveLength(2500);
    await store.close();
  });
});

describe("when etcd fails", () => {
  let etcd: EtcdForTests;
  let store: Store;
  beforeEach(async () => {
    etcd = await EtcdForTests.prepare();
    store = openEtcdStore({ endpoints: [etcd.endpoint], callTimeoutMs: 1000 });
  });
  afterEach(async () => {
    etcd.signal("SIGCONT");
    await store.close();
    await etcd.remove();
  });
  const put = (value: string) => ({ put: [{ key: "/w/a", value }] });

  it("away at start: a write is known not to be applied, and all works once it is there", async () => {
    const log = new WatchLog();
    store.watch("/w/", log);
    await expect(write(store, put("0"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", outcome: "not-applied" });
    await log.until(() => log.lines.includes("trouble"));
    await etcd.start();
    const back = time.now();
    await eventually(() => write(store, put("1")));
    await log.until(() => log.content.get("/w/a") === "1");
    expect(time.now() - back).toBeLessThan(4000);
  });

  it("restarted under a watch: what others wrote meanwhile is seen", async () => {
    await etcd.start();
    const log = new WatchLog();
    await write(store, put("1"));
    store.watch("/w/", log);
    await log.until(() => log.content.get("/w/a") === "1");
    await etcd.kill();
    await log.until(() => log.lines.includes("trouble"));
    await etcd.start();
    const other = openEtcdStore({ endpoints: [etcd.endpoint] });
    await eventually(() => write(other, { put: [{ key: "/w/b", value: "2" }], delete: ["/w/a"] }));
    await log.until(() => log.content.get("/w/b") === "2" && !log.content.has("/w/a"), 8000);
    await write(other, put("3"));
    await log.until(() => log.content.get("/w/a") === "3");
    await other.close();
  });

  it("compacted while the watch was cut: begins anew", async () => {
    await etcd.start();
    const log = new WatchLog();
    store.watch("/w/", log);
    await write(store, put("1"));
    await log.until(() => log.content.get("/w/a") === "1");
    await etcd.kill();
    await log.until(() => log.lines.includes("trouble"));
    await etcd.start();
    const other = openEtcdStore({ endpoints: [etcd.endpoint] });
    let revision = await eventually(() => write(other, { delete: ["/w/a"] }));
    for (let i = 0; i < 20; i++) revision = await write(other, { put: [{ key: "/w/b", value: String(i) }] });
    etcd.control("compact", String(revision));
    await log.until(() => log.content.get("/w/b") === "19" && !log.content.has("/w/a"), 8000);
    await other.close();
  });

  it("frozen: calls fail in time, writes with an unknown outcome; all works when it goes on", async () => {
    await etcd.start();
    const log = new WatchLog();
    store.watch("/w/", log);
    await write(store, put("1"));
    await log.until(() => log.content.get("/w/a") === "1");
    etcd.signal("SIGSTOP");
    const frozen = time.now();
    const attempts = await Promise.allSettled([write(store, put("2")), store.get(["/w/a"]), store.list("/w/")]);
    expect(time.now() - frozen).toBeLessThan(1500);
    expect(attempts.map((attempt) => attempt.status)).toEqual(["rejected", "rejected", "rejected"]);
    expect((attempts[0] as PromiseRejectedResult).reason).toMatchObject({ outcome: "unknown" });
    etcd.signal("SIGCONT");
    await eventually(() => write(store, put("3")));
    await log.until(() => log.content.get("/w/a") === "3");
  });

  it("another endpoint is asked when one is away", async () => {
    await etcd.start();
    const nobody = await EtcdForTests.prepare();
    const both = openEtcdStore({ endpoints: [nobody.endpoint, etcd.endpoint], callTimeoutMs: 1000 });
    await write(both, put("1"));
    expect((await both.get(["/w/a"]))[0]?.value).toBe("1");
    await both.close();
    await nobody.remove();
  });

  it("a server that accepts and never speaks is noticed", async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await new Promise((resolve) => mute.once("listening", resolve));
    const { port } = mute.address() as { port: number };
    const deaf = openEtcdStore({ endpoints: [`http://127.0.0.1:${port}`], callTimeoutMs: 300 });
    const log = new WatchLog();
    deaf.watch("/w/", log);
    const began = time.now();
    await expect(write(deaf, put("1"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(time.now() - began).toBeLessThan(1000);
    await log.until(() => log.lines.includes("trouble"));
    await deaf.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });
});

describe("user and password", () => {
  it("logs in, is refused with a wrong password, and outlives its token", async () => {
    const etcd = await EtcdForTests.start(["--auth-token-ttl", "1"]);
    etcd.control("user", "add", "root:secret");
    etcd.control("user", "grant-role", "root", "root");
    etcd.control("auth", "enable");
    const login = { endpoints: [etcd.endpoint], username: "root", callTimeoutMs: 1000 };
    const store = openEtcdStore({ ...login, password: "secret" });
    const wrong = openEtcdStore({ ...login, password: "guess" });
    const log = new WatchLog();
    try {
      await write(store, { put: [{ key: "/w/a", value: "1" }] });
      store.watch("/w/", log);
      await expect(write(wrong, { delete: ["/w/a"] })).rejects.toMatchObject({ outcome: "not-applied" });
      await log.until(() => log.content.get("/w/a") === "1");
      // Longer than a token lives that nobody uses.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await write(store, { put: [{ key: "/w/a", value: "after" }] });
      await log.until(() => log.content.get("/w/a") === "after", 8000);
      await etcd.kill();
      await etcd.start();
      await eventually(() => write(store, { put: [{ key: "/w/a", value: "2" }] }));
      await log.until(() => log.content.get("/w/a") === "2", 8000);
      await write(store, { put: [{ key: "/w/a", value: "3" }] });
      await log.until(() => log.content.get("/w/a") === "3");
    } finally {
      await Promise.all([store.close(), wrong.close()]);
      await etcd.remove();
    }
  });
});

describe("TLS", () => {
  it("checks the server by its authority, and shows a certificate of its own", async () => {
    const directory = mkdtempSync(join(tmpdir(), "overland-tls-"));
    const file = (name: string) => join(directory, name);
    const openssl = (...command: string[]) => execFileSync("openssl", command, { cwd: directory, stdio: "ignore" });
    const key = (name: string) => [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      `${name}.key`,
    ];
    openssl("req", "-x509", "-days", "2", "-subj", "/CN=test authority", ...key("ca"), "-out", "ca.crt");
    for (const name of ["server", "client"]) {
      openssl(
        "req",
        "-subj",
        `/CN=${name}`,
        ...key(name),
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-out",
        `${name}.csr`,
      );
      const signed = [
        "-in",
        `${name}.csr`,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        `${name}.crt`,
      ];
      openssl("x509", "-req", "-days", "2", "-copy_extensions", "copy", ...signed);
    }
    const server = ["--cert-file", file("server.crt"), "--key-file", file("server.key")];
    const etcd = await EtcdForTests.start([...server, "--client-cert-auth", "--trusted-ca-file", file("ca.crt")]);
    const common = { endpoints: [etcd.endpoint], callTimeoutMs: 2000 };
    const ca = { caCertFile: file("ca.crt") };
    const trusted = openEtcdStore({ ...common, ...ca, certFile: file("client.crt"), keyFile: file("client.key") });
    const anonymous = openEtcdStore({ ...common, ...ca });
    const stranger = openEtcdStore(common);
    try {
      await write(trusted, { put: [{ key: "/a", value: "1" }] });
      await expect(anonymous.get(["/a"])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(write(stranger, { delete: ["/a"] })).rejects.toMatchObject({ outcome: "not-applied" });
      expect((await trusted.get(["/a"]))[0]?.value).toBe("1");
    } finally {
      await Promise.all([trusted.close(), anonymous.close(), stranger.close()]);
      await etcd.remove();
      rmSync(directory, { recursive: true });
    }
  });

  it("says at once which file is missing", () => {
    const options = { endpoints: ["https://127.0.0.1:1"], caCertFile: "/nowhere/ca.crt" };
    expect(() => openEtcdStore(options)).toThrow("/nowhere/ca.crt");
    expect(() => openEtcdStore({ endpoints: [] })).toThrow("no etcd endpoint");
  });
});

describe("outcomeOf, mayPass", () => {
  it.each([
    ["14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED", "not-applied", true],
    ["4 DEADLINE_EXCEEDED: Deadline exceeded after 1.000s,LB pick: 0.001s", "unknown", true],
    ["4 DEADLINE_EXCEEDED: Deadline exceeded after 1.000s,Waiting for LB pick", "not-applied", true],
    ["7 PERMISSION_DENIED: etcdserver: permission denied", "not-applied", false],
    ["8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded", "not-applied", false],
    ["14 UNAVAILABLE: etcdserver: request timed out", "unknown", true],
    ["14 UNAVAILABLE: Connection dropped", "unknown", true],
    ["no answer in time", "unknown", true],
  ] as const)("%s", (message, outcome, passes) => {
    expect(outcomeOf(message)).toBe(outcome);
    expect(mayPass(message)).toBe(passes);
  });
});
