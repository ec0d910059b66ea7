/** RFC 4271 4.2, 4.4, 6.8, 8: our own OPEN, timers, who dials, and two connections at once. */
import { announce, base, type Case, P } from "../case.ts";
import { capabilitiesOf, type Message } from "../decode.ts";
import { keepalive, update } from "../messages.ts";
import { hex, nlri, type Octets, u16, u32 } from "../octets.ts";
import { type PeerName, planOf } from "../peers.ts";
import type { Session } from "../session.ts";
import type { Stand } from "../stand.ts";
import { openOf } from "../terms.ts";

const must = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

/** The connection that the speaker has opened, its OPEN on it, nothing answered. */
async function dialled(stand: Stand, name: PeerName): Promise<Session> {
  const open = () => stand.dialledTo(name).findLast((session) => !session.closed && session.theirOpen !== undefined);
  if (!(await stand.network.bell.until(() => open() !== undefined, 15))) throw new Error("the speaker did not dial");
  return open() as Session;
}

/** Both sides have dialled; the speaker holds an OPEN of the neighbour on the neighbour's own connection. */
const collision = (name: PeerName, identifier: string, kept: "theirs" | "ours") => async (stand: Stand) => {
  const theirs = await dialled(stand, name);
  const ours = await stand.connect(name);
  await ours.until("OPEN", () => ours.theirOpen !== undefined);
  const open = openOf(planOf(name), { identifier });
  theirs.send(open);
  await theirs.until("KEEPALIVE", () => theirs.keepalives > 0);
  ours.send(open);
  const [lost, won] = kept === "theirs" ? [ours, theirs] : [theirs, ours];
  must(await lost.ended(), "no connection was closed");
  must(lost.notification?.what === "6/7", `expected NOTIFICATION 6/7: ${lost.describe()}`);
  won.send(keepalive());
  await won.until("KEEPALIVE", () => won.keepalives > 0);
  const { host, asNumber } = planOf(name);
  const observer = await stand.session("external2");
  won.send(announce(P, ...base(asNumber, host)));
  must(await observer.sees(() => observer.routes.has(P)), `the session did not carry a route: ${won.describe()}`);
  won.end();
  must(await observer.sees(() => !observer.routes.has(P)), "the route stayed without its session");
};

const capability = (open: Message, code: number): string[] => (capabilitiesOf(open).get(code) ?? []).map(hex);

async function ourOpen(stand: Stand): Promise<void> {
  const session = await stand.connect("external");
  await session.until("OPEN", () => session.theirOpen !== undefined);
  const open = session.theirOpen as Message;
  const body: Octets = open.body;
  must(body[0] === 4, `version ${body[0]}`);
  must(hex(body.subarray(1, 3)) === hex(u16(65_000)), `My AS ${hex(body.subarray(1, 3))}`);
  const hold = (body[3] as number) * 256 + (body[4] as number);
  must(hold === 0 || hold >= 3, `hold time ${hold}`);
  must(hex(body.subarray(5, 9)) === "c0000201", `identifier ${hex(body.subarray(5, 9))}`);
  const families = capability(open, 1).sort().join(" ");
  must(families === "00010001 00020001", `Multiprotocol ${families}`);
  must(capability(open, 65).join() === hex(u32(65_000)), `four-octet AS ${capability(open, 65).join()}`);
  for (const code of [2, 6, 70]) must(capability(open, code).join() === "", `capability ${code} is not empty`);
  for (const code of [2, 6, 64, 69, 70]) must(capabilitiesOf(open).has(code), `capability ${code} is missing`);
  await stand.drop("external");
}

async function silence(stand: Stand): Promise<void> {
  const session = await stand.session("external3", { holdTime: 3 });
  const before = session.keepalives;
  const started = performance.now();
  must(await session.ended(8), "the session outlived its hold time");
  const seconds = (performance.now() - started) / 1000;
  must(session.notification?.what === "4/0", `expected NOTIFICATION 4/0: ${session.describe()}`);
  must(seconds > 2.5, `it ended after ${seconds.toFixed(1)} s already`);
  must(session.keepalives - before >= 2, `${session.keepalives - before} KEEPALIVEs in three seconds`);
}

async function second(stand: Stand): Promise<void> {
  const first = await stand.session("external");
  const other = (await stand.network.bell) && new (await import("../session.ts")).Session(stand.network, {});
  other.dial("192.0.2.11", "192.0.2.1", 179);
  await other.sees(() => other.connected);
  other.send(openOf(planOf("external"), {}));
  must(await other.ended(), "a second connection was left open");
  must([undefined, "6/7", "6/5"].includes(other.notification?.what), other.describe());
  must(await stand.processed("external", first), "the established session was lost");
}

async function noKeepalives(stand: Stand): Promise<void> {
  const session = await stand.session("external3", { holdTime: 0 });
  await stand.settled([session]);
  must(session.keepalives === 1, `${session.keepalives} KEEPALIVEs`);
  await stand.drop("external3");
}

const OWN = { nextHop: "192.0.2.1", only: [1, 2], path: [65_000] };
const more = (count: number): Octets =>
  update({ attributes: base(65_062, 62), nlri: Array.from({ length: count }, (_, i) => nlri(`198.51.100.${i}/32`)) });

export const CONNECTIONS: readonly Case[] = [
  {
    id: "4271-9.4-01",
    title: "our own networks are announced, and withdrawn from nobody",
    says: [keepalive()],
    expects: { sees: { external2: { "203.0.113.128/25": OWN, "2001:db8:ffff:1::/64": { path: [65_000] } } } },
  },
  {
    id: "4271-6.7-01",
    title: "more prefixes than we take end the session with a Cease",
    by: "limited",
    says: [more(6)],
    expects: { reset: "6/1" },
  },

  { id: "4271-4.2-10", title: "our OPEN says who we are and what we can", script: ourOpen },
  {
    id: "4271-6.5-01",
    title: "KEEPALIVEs come in thirds of the hold time, and silence ends the session",
    script: silence,
  },
  {
    id: "4271-4.4-01",
    title: "with hold time 0 there is the one KEEPALIVE that answers the OPEN",
    script: noKeepalives,
  },
  { id: "4271-6.8-01", title: "a second connection beside an established session is closed", script: second },
  {
    id: "4271-6.8-02",
    title: "of two connections that of the higher identifier stays: the neighbour's",
    script: collision("dialled", "192.0.2.71", "ours"),
  },
  {
    id: "4271-6.8-03",
    title: "of two connections that of the higher identifier stays: the speaker's",
    script: collision("dialled2", "1.1.1.1", "theirs"),
  },
];
