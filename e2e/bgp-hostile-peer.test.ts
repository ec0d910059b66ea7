/**
 * What a peer can do that says what no router would: lose its own session, with the NOTIFICATION that the RFCs want, or
 * its own routes. The agent lives, and its other sessions do not notice.
 */
import { afterAll, describe, expect } from "@jest/globals";
import { agentRoutes, agentView, type PeerView, peerOf } from "./harness/agent.ts";
import { addGuest, type Guest } from "./harness/guest.ts";
import {
  attribute,
  HandMadePeer,
  ipv4,
  keepalive,
  MessageType,
  message,
  nlri,
  open,
  u16,
  u32,
  update,
} from "./harness/hand-made-peer.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { descriptors, isRunning, type Process, processIn } from "./harness/processes.ts";
import { NODE } from "./harness/program.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ehostile", { racks: 1, nodes: 2, pods: 1 });
const node = () => lab.node("r1n1");
const AGENT = "10.10.1.11";
const AS = 65_077;

let guest: Guest;
let peer: HandMadePeer;
let agent: Process;
let openAtFirst: number;
let others: readonly PeerView[];

afterAll(() => peer.stop());

const goodOpen = () => open({ asNumber: AS, identifier: guest.ipv4 });
const other = async () => (await agentView(node())).peers.filter(({ name }) => name !== "hostile");
const lasting = (peers: readonly PeerView[]) => peers.map(({ name, state, since }) => ({ name, state, since }));

/** After whatever was said: the same process, and the sessions with everybody else as they were. */
async function unharmed(): Promise<void> {
  expect(isRunning(agent)).toBe(true);
  expect(lasting(await other())).toEqual(lasting(others));
}

const ORIGIN = attribute(0x40, 1, [0]);
const AS_PATH = () => attribute(0x40, 2, [2, 1, ...u32(AS)]);
const NEXT_HOP = () => attribute(0x40, 3, ipv4(guest.ipv4));
const announce = (prefix: string) => update({ attributes: [ORIGIN, AS_PATH(), NEXT_HOP()], nlri: nlri(prefix) });

const routeTo = async (prefix: string) => (await agentRoutes(node())).find((route) => route.prefix === prefix);

describe("a peer that behaves", () => {
  lab.proof("is a peer: its route arrives", async () => {
    guest = await addGuest(lab, 1, "hostile", 202);
    peer = new HandMadePeer(guest.netns, NODE);
    agent = processIn(node().netns, "agent", "--config");
    openAtFirst = descriptors(agent);
    others = await other();
    const spec = { node: "r1n1", peerIP: guest.ipv4, asNumber: AS, passive: true };
    const resource = { apiVersion: "overland.dev/v1", kind: "BGPPeer", metadata: { name: "hostile" }, spec };
    await lab.apply(JSON.stringify(resource));
    await eventually("the agent knows the peer", 5, () => peerOf(node(), "hostile"));
    await peer.establish(AGENT, goodOpen());
    peer.send(announce("10.78.0.0/24"));
    await eventually("its route is known", 5, async () => (await routeTo("10.78.0.0/24"))?.best);
    await unharmed();
    peer.end();
    await peer.closed();
  });
});

describe("before there is a session", () => {
  const cases: Record<string, { says: () => Buffer; gets: string }> = {
    "a web browser": { says: () => Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), gets: "1/1" },
    "random octets": {
      says: () => Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 197 + 13) % 251)),
      gets: "1/1",
    },
    "a message of 65535 octets": { says: () => message(1, Buffer.alloc(40), { length: 65_535 }), gets: "1/2" },
    "a message of 18 octets": { says: () => message(4, Buffer.alloc(0), { length: 18 }), gets: "1/2" },
    "a message of type 77": { says: () => message(77, Buffer.alloc(4)), gets: "1/3" },
    "BGP version 5": { says: () => open({ asNumber: AS, identifier: guest.ipv4, version: 5 }), gets: "2/1" },
    "another AS": { says: () => open({ asNumber: 65_078, identifier: guest.ipv4 }), gets: "2/2" },
    "BGP Identifier 0.0.0.0": { says: () => open({ asNumber: AS, identifier: "0.0.0.0" }), gets: "2/3" },
    "a hold time of 1 s": { says: () => open({ asNumber: AS, identifier: guest.ipv4, holdTime: 1 }), gets: "2/6" },
    "a capability that overruns": {
      says: () => open({ asNumber: AS, identifier: guest.ipv4, parameters: Buffer.from([2, 4, 65, 200, 0, 0]) }),
      gets: "2/0",
    },
    "an optional parameter nobody knows": {
      says: () => open({ asNumber: AS, identifier: guest.ipv4, parameters: Buffer.from([99, 1, 0]) }),
      gets: "2/4",
    },
    "an UPDATE instead of an OPEN": { says: () => announce("10.79.0.0/24"), gets: "5/1" },
    "an UPDATE instead of the first KEEPALIVE": {
      says: () => Buffer.concat([goodOpen(), announce("10.79.0.0/24")]),
      gets: "5/2",
    },
  };
  for (const [what, { says, gets }] of Object.entries(cases)) {
    lab.proof(`${what} gets NOTIFICATION ${gets}`, async () => {
      await peer.dial(AGENT);
      peer.send(says());
      expect(await peer.notification()).toBe(gets);
      await peer.closed();
      expect(await routeTo("10.79.0.0/24")).toBe(undefined);
      await unharmed();
    });
  }

  lab.proof("connections that are dropped at every octet of an OPEN do no harm", async () => {
    const whole = goodOpen();
    for (let length = 1; length < whole.length; length += 4) {
      await peer.dial(AGENT);
      peer.send(whole.subarray(0, length));
      peer.end();
      await peer.closed();
    }
    await unharmed();
  });
});

describe("in a session", () => {
  const resets: Record<string, { says: () => Buffer; gets: string }> = {
    "an UPDATE whose attributes overrun it": {
      says: () => message(MessageType.update, Buffer.concat([u16(0), u16(500), Buffer.alloc(20)])),
      gets: "3/1",
    },
    "an UPDATE whose withdrawn routes overrun it": {
      says: () => message(MessageType.update, Buffer.concat([u16(900), Buffer.alloc(20)])),
      gets: "3/1",
    },
    "garbage after a good message": { says: () => Buffer.concat([keepalive(), Buffer.alloc(64, 0x41)]), gets: "1/1" },
    "a KEEPALIVE with a body": { says: () => message(MessageType.keepalive, Buffer.alloc(3)), gets: "1/2" },
    "a second OPEN": { says: () => goodOpen(), gets: "5/3" },
  };
  for (const [what, { says, gets }] of Object.entries(resets)) {
    lab.proof(`${what} costs the session, with NOTIFICATION ${gets}`, async () => {
      await peer.establish(AGENT, goodOpen());
      peer.send(announce("10.80.0.0/24"));
      await eventually("its route is known", 5, () => routeTo("10.80.0.0/24"));
      peer.send(says());
      expect(await peer.notification()).toBe(gets);
      await peer.closed();
      await eventually("its routes are gone", 5, async () => (await routeTo("10.80.0.0/24")) === undefined);
      expect((await peerOf(node(), "hostile")).lastError).not.toBe("");
      await unharmed();
    });
  }

  const withdraws: Record<string, () => readonly Buffer[]> = {
    "without ORIGIN": () => [AS_PATH(), NEXT_HOP()],
    "with an ORIGIN of 9": () => [attribute(0x40, 1, [9]), AS_PATH(), NEXT_HOP()],
    "with an AS_PATH that is cut off": () => [ORIGIN, attribute(0x40, 2, [2, 5, ...u32(AS)]), NEXT_HOP()],
    "with a NEXT_HOP of three octets": () => [ORIGIN, AS_PATH(), attribute(0x40, 3, [10, 10, 1])],
    "with communities of five octets": () => [ORIGIN, AS_PATH(), NEXT_HOP(), attribute(0xc0, 8, [1, 2, 3, 4, 5])],
  };
  for (const [what, attributes] of Object.entries(withdraws)) {
    lab.proof(`an UPDATE ${what} costs its routes and not the session (RFC 7606)`, async () => {
      await peer.establish(AGENT, goodOpen());
      const before = (await peerOf(node(), "hostile")).updates.treatedAsWithdraw;
      peer.send(announce("10.81.0.0/24"), announce("10.82.0.0/24"));
      await eventually("its routes are known", 5, () => routeTo("10.82.0.0/24"));
      peer.send(update({ attributes: attributes(), nlri: nlri("10.81.0.0/24") }), announce("10.83.0.0/24"));
      await eventually("what came after it is known", 5, () => routeTo("10.83.0.0/24"));
      expect(await routeTo("10.81.0.0/24")).toBe(undefined);
      expect(await routeTo("10.82.0.0/24")).toMatchObject({ best: true });
      const { state, updates } = await peerOf(node(), "hostile");
      expect({ state, counted: updates.treatedAsWithdraw }).toEqual({ state: "Established", counted: before + 1 });
      await unharmed();
      peer.end();
      await peer.closed();
    });
  }

  const martians: Record<string, () => Buffer> = {
    "0.0.0.0/8": () => announce("0.0.0.0/8"),
    "127.0.0.0/8": () => announce("127.0.0.0/8"),
    "224.0.0.0/4": () => announce("224.0.0.0/4"),
    "255.255.255.255/32": () => announce("255.255.255.255/32"),
    "10.84.0.0/24": () =>
      update({ attributes: [ORIGIN, AS_PATH(), attribute(0x40, 3, ipv4(AGENT))], nlri: nlri("10.84.0.0/24") }),
    "10.85.0.0/24": () =>
      update({ attributes: [ORIGIN, AS_PATH(), attribute(0x40, 3, ipv4("127.0.0.1"))], nlri: nlri("10.85.0.0/24") }),
    "169.254.1.1/32": () => announce("169.254.1.1/32"),
  };
  lab.proof("routes that lead nowhere, or to where nobody routes, never reach the kernel", async () => {
    await peer.establish(AGENT, goodOpen());
    for (const says of Object.values(martians)) peer.send(says());
    peer.send(announce("10.87.0.0/24"));
    await eventually(
      "what came after them is in the kernel",
      5,
      async () => (await routeTo("10.87.0.0/24"))?.installed,
    );
    const kernel = await ip(node().netns, "route", "show", "proto", "201");
    for (const prefix of Object.keys(martians)) expect(kernel).not.toContain(`${prefix} `);
    await unharmed();
    peer.end();
    await peer.closed();
  });

  lab.proof("ten thousand routes and a cut connection leave nothing behind", async () => {
    await peer.establish(AGENT, goodOpen());
    for (let i = 0; i < 10_000; i += 500) {
      const routes = Array.from({ length: 500 }, (_, j) => nlri(`10.${100 + ((i + j) >> 8)}.${(i + j) & 255}.0/24`));
      peer.send(update({ attributes: [ORIGIN, AS_PATH(), NEXT_HOP()], nlri: Buffer.concat(routes) }));
    }
    await eventually("all are in the kernel", 15, async () => (await agentView(node())).routes.installed >= 10_000);
    peer.end();
    await eventually("none is left", 15, async () => (await agentView(node())).routes.installed < 100);
    await unharmed();
  });
});

describe("a stranger", () => {
  lab.proof("from an address that is no peer's is turned away", async () => {
    const stranger = new HandMadePeer((await addGuest(lab, 1, "stranger", 203)).netns, NODE);
    try {
      await stranger.dial(AGENT);
      stranger.send(goodOpen());
      await stranger.closed();
      await unharmed();
      await eventually("no connection is left open", 5, () => descriptors(agent) <= openAtFirst);
    } finally {
      stranger.stop();
    }
  });
});
