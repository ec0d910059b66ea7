import { execFile } from "node:child_process";
import type { Server, Socket } from "node:net";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { hostPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { type DialOptions, dialTcp, listenTcp, secureAccepted, setPeerPassword } from "./tcp.ts";
import { ip, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns, until } from "./testing.ts";

let left: TestNetns;
let right: TestNetns;
const servers: Server[] = [];
const connections: Socket[] = [];
let accepted: { remote: string | undefined; local: string | undefined }[];

beforeEach(() => {
  left = makeTestNetns();
  right = makeTestNetns();
  joinTestNetns(
    left,
    right,
    ["10.1.0.1/24", "10.1.0.9/24", "fd00:1::1/64", "fd00:1::9/64"],
    ["10.1.0.2/24", "fd00:1::2/64"],
  );
  accepted = [];
});

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy();
  for (const server of servers.splice(0)) server.close();
  removeTestNetns(left);
  removeTestNetns(right);
});

/** Listens on the right; what it accepts is noted, and greeted. Gives the port. */
async function listen(options: Partial<Parameters<typeof listenTcp>[0]> = {}, ttlSecurity?: number): Promise<number> {
  const server = await listenTcp({ port: 0, netns: right.path, ...options });
  servers.push(server);
  server.on("connection", (connection: Socket) => {
    connections.push(connection);
    accepted.push({ remote: connection.remoteAddress, local: connection.localAddress });
    connection.on("error", () => undefined);
    if (ttlSecurity !== undefined)
      secureAccepted(connection, addressOf(connection.remoteAddress as string), { ttlSecurity });
    connection.resume().write("hello");
  });
  return (server.address() as { port: number }).port;
}

/** As long as an answer takes at worst on a busy machine, and as long as we listen for one that must not come. */
const [PATIENT, BRIEF] = [4000, 250];

/** Dials from the left: "hello" when greeted, the error's code, or "silence" after the given milliseconds. */
function dial(options: Omit<DialOptions, "netns">, patience = PATIENT): Promise<string> {
  return new Promise((resolve) => {
    const connection = dialTcp({ ...options, netns: left.path });
    connections.push(connection);
    const timer = setTimeout(() => resolve("silence"), patience);
    const end = (what: string) => {
      clearTimeout(timer);
      resolve(what);
    };
    connection.on("data", (octets) => end(octets.toString()));
    connection.on("error", (error: { code?: string }) => end(error.code ?? "?"));
  });
}

/**
 * A process that lives in the left namespace dials, since Node.js looks up a zone where the process is; gives its
 * output.
 */
async function dialFromChild(options: string): Promise<string> {
  const script = `
    import { addressOf } from ${JSON.stringify(import.meta.resolve("../../ipam/net/address.ts"))};
    import { dialTcp } from ${JSON.stringify(import.meta.resolve("./tcp.ts"))};
    const connection = dialTcp(${options});
    connection.on("error", (error) => console.log(error.message));
    connection.on("data", (octets) => process.stdout.write(octets, () => process.exit()));`;
  const args = ["netns", "exec", left.name, process.execPath, "--no-warnings", "--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)("ip", args, { timeout: 4000 });
  return stdout;
}

const v4 = addressOf("10.1.0.2");
const v6 = addressOf("fd00:1::2");

describe("listening and dialling", () => {
  it("join both families under one server, with peers by their plain addresses", async () => {
    const port = await listen();
    expect(await dial({ address: v4, port })).toBe("hello");
    expect(await dial({ address: v6, port })).toBe("hello");
    expect(accepted).toEqual([
      { remote: "10.1.0.1", local: "10.1.0.2" },
      { remote: expect.stringMatching(/^fd00:1::[19]$/), local: "fd00:1::2" },
    ]);
  });

  it("use the source address that is asked for", async () => {
    const port = await listen();
    expect(await dial({ address: v4, port, source: addressOf("10.1.0.9") })).toBe("hello");
    expect(await dial({ address: v6, port, source: addressOf("fd00:1::9") })).toBe("hello");
    expect(accepted.map(({ remote }) => remote)).toEqual(["10.1.0.9", "fd00:1::9"]);
  });

  it("say by an error event that the source address is not ours, or that nobody listens", async () => {
    expect(await dial({ address: v4, port: 1790, source: addressOf("10.1.0.77") })).toBe("EADDRNOTAVAIL");
    expect(await dial({ address: v6, port: 1790, source: addressOf("fd00:1::77") })).toBe("EADDRNOTAVAIL");
    expect(await dial({ address: v4, port: 1790 })).toBe("ECONNREFUSED");
  });

  it("reach a link-local address by its device", async () => {
    ip(right, "addr add fe80::2/64 dev right nodad");
    const port = await listen();
    expect(await dialFromChild(`{ address: addressOf("fe80::2"), port: ${port}, device: "left" }`)).toBe("hello");
  });

  it("reach a link-local address from one, and listen on one", async () => {
    ip(left, "addr add fe80::1/64 dev left nodad");
    ip(right, "addr add fe80::2/64 dev right nodad");
    const port = await listen({ addresses: [{ address: addressOf("fe80::2"), device: "right" }] });
    const from = `{ address: addressOf("fe80::2"), port: ${port}, device: "left", source: addressOf("fe80::1") }`;
    expect(await dialFromChild(from)).toBe("hello");
    expect(accepted.map(({ remote }) => remote?.replace(/%.*/, ""))).toEqual(["fe80::1"]);
    await expect(listen({ addresses: [{ address: addressOf("fe80::2"), device: "nowhere" }] })).rejects.toMatchObject({
      code: "ENODEV",
    });
  });

  it("listen on the given addresses only", async () => {
    ip(right, "addr add 10.1.0.3/24 dev right");
    const port = await listen({ addresses: [{ address: v4 }, { address: v6 }] });
    expect(await dial({ address: v4, port })).toBe("hello");
    expect(await dial({ address: v6, port })).toBe("hello");
    expect(await dial({ address: addressOf("10.1.0.3"), port })).toBe("ECONNREFUSED");
  });

  it("fail with the address named when the port is taken, and hold no other", async () => {
    const port = await listen({ addresses: [{ address: v6 }] });
    const again = listenTcp({ addresses: [{ address: v4 }, { address: v6 }], port, netns: right.path });
    await expect(again).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(again).rejects.toThrow(`fd00:1::2 port ${port}`);
    expect(await dial({ address: v4, port })).toBe("ECONNREFUSED");
  });
});

describe.each([
  ["IPv4", v4, addressOf("10.1.0.1"), addressOf("10.1.0.9")],
  ["IPv6", v6, addressOf("fd00:1::1"), addressOf("fd00:1::9")],
] as const)("an MD5 password over %s", (_, address, peer, stranger) => {
  it("lets in who has it, and nobody else", async () => {
    const port = await listen({ passwords: [{ peers: hostPrefix(peer), password: "secret" }] });
    expect(await dial({ address, port, source: peer, password: "secret" })).toBe("hello");
    expect(await dial({ address, port, source: peer, password: "wrong" }, BRIEF)).toBe("silence");
    expect(await dial({ address, port, source: peer }, BRIEF)).toBe("silence");
    expect(await dial({ address, port, source: stranger })).toBe("hello");
  });

  it("may be set and taken away while listening", async () => {
    const port = await listen();
    const [server] = servers as [Server];
    setPeerPassword(server, hostPrefix(peer), undefined);
    setPeerPassword(server, hostPrefix(peer), "secret");
    expect(await dial({ address, port, source: peer }, BRIEF)).toBe("silence");
    expect(await dial({ address, port, source: peer, password: "secret" })).toBe("hello");
    setPeerPassword(server, hostPrefix(peer), undefined);
    expect(await dial({ address, port, source: peer })).toBe("hello");
    expect(() => setPeerPassword(server, hostPrefix(peer), "x".repeat(81))).toThrow("at most 80 octets");
  });
});

describe.each([
  ["IPv4", v4, prefixOf("10.1.0.0/24"), addressOf("10.1.0.1"), addressOf("10.1.0.9")],
  ["IPv6", v6, prefixOf("fd00:1::/64"), addressOf("fd00:1::1"), addressOf("fd00:1::9")],
] as const)("an MD5 password of a range over %s", (_, address, range, peer, other) => {
  it("lets in whoever of the range has it; a password of one peer comes first", async () => {
    const port = await listen({
      passwords: [
        { peers: range, password: "everybody's" },
        { peers: hostPrefix(other), password: "own" },
      ],
    });
    expect(await dial({ address, port, source: peer, password: "everybody's" })).toBe("hello");
    expect(await dial({ address, port, source: other, password: "own" })).toBe("hello");
    const wrong = [
      dial({ address, port, source: peer }, BRIEF),
      dial({ address, port, source: peer, password: "own" }, BRIEF),
      dial({ address, port, source: other, password: "everybody's" }, BRIEF),
    ];
    expect(await Promise.all(wrong)).toEqual(["silence", "silence", "silence"]);
  });

  it("may be changed and taken away, and a session that is there goes on", async () => {
    const port = await listen({ passwords: [{ peers: range, password: "old" }] });
    const [server] = servers as [Server];
    expect(await dial({ address, port, source: peer, password: "old" })).toBe("hello");
    setPeerPassword(server, range, "new");
    expect(await dial({ address, port, source: other, password: "new" })).toBe("hello");
    expect(await dial({ address, port, source: other, password: "old" }, BRIEF)).toBe("silence");
    const there = connections.find((one) => one.remotePort === port) as Socket;
    const before = there.bytesRead;
    connections.find((one) => one.localPort === port && one.remotePort === there.localPort)?.write("again");
    await until("the old session still carries octets", () => there.bytesRead === before + 5);
    setPeerPassword(server, range, undefined);
    expect(await dial({ address, port, source: other })).toBe("hello");
  });

  it("holds for a connection that was accepted without it", async () => {
    const port = await listen();
    const unsigned = dialTcp({ address, port, source: peer, netns: left.path });
    connections.push(unsigned);
    await until("the connection is accepted", () => accepted.length === 1 && unsigned.bytesRead === 5);
    const there = connections.find((one) => one.localPort === port) as Socket;
    secureAccepted(there, peer, { password: "late" });
    unsigned.write("unsigned");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(there.bytesRead).toBe(0);
  });
});

describe.each([
  ["IPv4", v4],
  ["IPv6", v6],
] as const)("TTL security over %s", (_, address) => {
  it("joins two sides that both use it", async () => {
    const port = await listen({ ttl: 255 }, 1);
    expect(await dial({ address, port, ttlSecurity: 1 })).toBe("hello");
  });

  it("drops what a listener sends with an ordinary TTL", async () => {
    const port = await listen();
    expect(await dial({ address, port, ttlSecurity: 1 }, BRIEF)).toBe("silence");
    expect(await dial({ address, port, ttlSecurity: 200 })).toBe("hello");
  });

  it("drops what a dialler sends with an ordinary TTL, once it is set on the connection", async () => {
    const port = await listen({ ttl: 255 }, 1);
    const connection = dialTcp({ address, port, netns: left.path });
    connections.push(connection);
    await until("the connection is accepted", () => accepted.length === 1);
    connection.write("are you there");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(connections.filter((one) => one !== connection).map((one) => one.bytesRead)).toEqual([0]);
  });
});
