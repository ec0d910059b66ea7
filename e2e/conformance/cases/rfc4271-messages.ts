/** RFC 4271 4.1, 6.1, 6.4 and 8: the header, and messages where they do not belong (RFC 6608). */
import { attribute } from "../attributes.ts";
import { announce, base, type Case, harmless, P, passes, resets, withdraws } from "../case.ts";
import { keepalive, message, notification, open, refresh, Type, update } from "../messages.ts";
import { cat, filler, nlri, type Octets, u16, zeros } from "../octets.ts";
import { PEERS } from "../peers.ts";
import { capabilitiesFor } from "../terms.ts";

const { asNumber } = PEERS.external;
const goodOpen = (): Octets =>
  open({ asNumber, identifier: "192.0.2.11", capabilities: capabilitiesFor(asNumber, {}) });

/** An UPDATE of exactly so many octets. */
const ofLength = (length: number): Octets => {
  const rest = length - 19 - 4 - cat(...base()).length - nlri(P).length - 4;
  return update({ attributes: [...base(), attribute(0xd0, 99, filler(rest))], nlri: [nlri(P)] });
};

const silent = (id: string, title: string, says: Octets, stage?: "connected" | "opened"): Case => ({
  id,
  title,
  says: [says],
  ...(stage === undefined ? {} : { stage }),
  expects: { closed: true },
});

const headerCases: readonly Case[] = [
  resets("4271-6.1-01", "a marker that is not all ones", message(4, cat(), { marker: zeros(16) }), "1/1"),
  resets(
    "4271-6.1-02",
    "a marker with one bit missing",
    message(4, cat(), { marker: cat(new Array<number>(15).fill(255), [254]) }),
    "1/1",
  ),
  resets(
    "4271-6.1-03",
    "a wrong marker in front of an OPEN",
    message(1, goodOpen().subarray(19), { marker: zeros(16) }),
    "1/1",
    { stage: "connected" },
  ),
  resets("4271-6.1-04", "a length of 18", message(4, cat(), { length: 18 }), "1/2", { data: u16(18) }),
  resets("4271-6.1-05", "a length of 0", message(4, cat(), { length: 0 }), "1/2", { data: u16(0) }),
  resets("4271-6.1-06", "a length of 4097", message(2, zeros(4078)), "1/2", { by: "short", data: u16(4097) }),
  resets("4271-6.1-07", "a length of 65535", message(2, zeros(30), { length: 65_535 }), "1/2", {
    by: "short",
    data: u16(65_535),
  }),
  resets("4271-6.1-08", "an OPEN of 28 octets", message(Type.open, goodOpen().subarray(19, 28)), "1/2", {
    stage: "connected",
    data: u16(28),
  }),
  resets("4271-6.1-09", "an UPDATE of 22 octets", message(Type.update, zeros(3)), "1/2", { data: u16(22) }),
  resets("4271-6.1-10", "a KEEPALIVE of 20 octets", message(Type.keepalive, zeros(1)), "1/2", { data: u16(20) }),
  resets("4271-6.1-11", "a NOTIFICATION of 20 octets", message(Type.notification, cat([6])), "1/2", {
    expects: { reset: "1/2", closed: true },
  }),
  resets("4271-6.1-12", "a type of 0", message(0, zeros(4)), "1/3", { data: cat([0]) }),
  resets("4271-6.1-13", "a type of 6", message(6, zeros(4)), "1/3", { data: cat([6]) }),
  resets("4271-6.1-14", "a type of 255 in place of an OPEN", message(255, zeros(20)), "1/3", {
    stage: "connected",
    data: cat([255]),
  }),
  resets("4271-6.1-15", "garbage behind a good message", cat(keepalive(), zeros(40)), "1/1"),
  resets("4271-6.1-16", "a web browser", Buffer.from("GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"), "1/1", {
    stage: "connected",
  }),
  resets(
    "4271-6.1-17",
    "an OPEN of 4097 octets",
    message(1, cat(goodOpen().subarray(19), zeros(4050)), { length: 4097 }),
    "1/2",
    { stage: "connected" },
  ),
  passes(
    "4271-4.1-01",
    "a message of 4096 octets",
    ofLength(4096),
    {},
    { terms: { external2: { extendedMessages: true } } },
  ),
  passes("4271-4.1-02", "three hundred messages at once", [
    ...Array.from({ length: 300 }, () => keepalive()),
    announce(P),
  ]),
  {
    id: "4271-4.1-03",
    title: "a message that comes octet by octet",
    script: async (stand) => {
      const session = await stand.session("external");
      for (const octet of announce(P)) session.send(Uint8Array.of(octet));
      await stand.processed("external", session);
      const observer = await stand.session("external2");
      await stand.settled([observer]);
      if (!observer.routes.has(P)) throw new Error("the route did not come out");
      await stand.drop("external");
    },
  },
  withdraws("4271-4.1-04", "a NOTIFICATION takes the routes with the session", notification(6, 4), {
    expects: { closed: true, sees: { external2: { [P]: [] } } },
  }),
];

const notificationCases: readonly Case[] = [
  silent("4271-6.4-01", "a NOTIFICATION is not answered", notification(6, 2)),
  silent("4271-6.4-02", "nor one of an unknown code", notification(77, 1)),
  silent("4271-6.4-03", "nor one of an unknown subcode with data", notification(3, 200, filler(300))),
  silent("4271-6.4-04", "nor one that comes before the OPEN", notification(6, 5), "connected"),
  silent("4271-6.4-05", "nor one that comes before the first KEEPALIVE", notification(2, 0), "opened"),
  silent("9003-2-01", "a shutdown communication", notification(6, 2, cat([5], Buffer.from("hello")))),
  silent("9003-2-02", "one of 255 octets", notification(6, 2, cat([255], filler(255)))),
  silent("9003-2-03", "one that is longer than its data", notification(6, 2, cat([200], Buffer.from("hello")))),
  silent("9003-2-04", "one that is not UTF-8", notification(6, 4, cat([4], [0xff, 0xfe, 0xc0, 0x80]))),
  silent("4486-4-01", "a Cease of every subcode", notification(6, 8)),
  silent("8538-3-01", "a hard reset with a NOTIFICATION inside", notification(6, 9, cat([6, 4]))),
];

const stateCases: readonly Case[] = [
  resets("6608-4-01", "an UPDATE where an OPEN should be", announce(P), "5/1", { stage: "connected" }),
  resets("6608-4-02", "a KEEPALIVE where an OPEN should be", keepalive(), "5/1", { stage: "connected" }),
  resets("6608-4-03", "a ROUTE-REFRESH where an OPEN should be", refresh(1), "5/1", { stage: "connected" }),
  resets("6608-4-04", "an UPDATE where a KEEPALIVE should be", announce(P), "5/2", { stage: "opened" }),
  resets("6608-4-05", "a ROUTE-REFRESH where a KEEPALIVE should be", refresh(1), "5/2", { stage: "opened" }),
  resets("6608-4-06", "a second OPEN where a KEEPALIVE should be", goodOpen(), ["5/2", "6/7"], { stage: "opened" }),
  resets("6608-4-07", "an OPEN in an established session", goodOpen(), "5/3"),
  harmless("4271-8.2.2-01", "KEEPALIVEs in an established session", [keepalive(), keepalive(), keepalive()]),
];

export const RFC4271_MESSAGES: readonly Case[] = [...headerCases, ...notificationCases, ...stateCases];
