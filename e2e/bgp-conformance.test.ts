/**
 * What the RFCs say a speaker does with a message, case by case, over TCP against `overland speaker`: told by one
 * neighbour, judged by what others hear. The cases are in conformance/cases, the RFC table (docs/reference/rfc.md)
 * names them. CONFORMANCE_SUBJECT=bird asks BIRD 2 the same questions.
 */

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { CASES } from "./conformance/all.ts";
import { attribute } from "./conformance/attributes.ts";
import { announce, base, P } from "./conformance/case.ts";
import { hex } from "./conformance/octets.ts";
import { runCase } from "./conformance/run-case.ts";
import { Stand } from "./conformance/stand.ts";
import { Subject } from "./conformance/subject.ts";

const subject = new Subject(process.env["CONFORMANCE_SUBJECT"] === "bird" ? "bird" : "overland");
let stand: Stand;

beforeAll(async () => {
  stand = new Stand(await subject.connect());
  await subject.start();
});

afterAll(async () => {
  stand.stop();
  await subject.stop();
});

afterEach(() => {
  if (subject.alive) return;
  throw new Error(`the speaker has ended:\n${readFileSync(subject.logFile, "utf8").slice(-2000)}`);
});

for (const [what, cases] of Object.entries(CASES)) {
  describe(what, () => {
    for (const one of cases) {
      test(`${one.id} ${one.title}`, async () => {
        expect(await runCase(stand, one)).toEqual([]);
      });
    }
  });
}

test("a malformed UPDATE is in the log with its prefixes and its octets", async () => {
  const says = announce(P, ...base(), attribute(0xc0, 8, [1, 2, 3, 4, 5]));
  expect(await runCase(stand, { id: "", title: "", says: [says] })).toEqual([]);
  const lines = readFileSync(subject.logFile, "utf8").split("\n");
  expect(lines.some((line) => line.includes(P) && line.includes(hex(says)))).toBe(true);
});

test("every case has an id of its own", () => {
  const ids = Object.values(CASES).flatMap((cases) => cases.map(({ id }) => id));
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
});
