/** docs/reference/rfc.md keeps its word: every requirement names a test that exists, or says why none can. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";

const ROOT = new URL("..", import.meta.url).pathname;
const CASES = "e2e/conformance/cases";

/** Those with a row for every requirement, and those with a line each. */
const IN_FULL = ["4271", "4760", "7606", "4724", "4456", "7911"];
const ALSO = (
  "1997 2385 2545 2918 4360 4486 5082 5492 6286 6396 6608 6793 7313 7607 7947 8092 8203 8212 8326 8538 8654 8950 9003 " +
  "9072 9234 9494 9687 9774"
).split(" ");

interface Row {
  readonly id: string;
  readonly cells: readonly string[];
  readonly proof: string;
}

const rows: readonly Row[] = readFileSync(`${ROOT}/docs/reference/rfc.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| R?\d/.test(line))
  .map((line) => {
    const cells = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { id: cells[0] ?? "", cells, proof: cells.at(-1) ?? "" };
  });

const caseIds = new Set(
  readdirSync(`${ROOT}/${CASES}`).flatMap((file) => {
    const text = readFileSync(`${ROOT}/${CASES}/${file}`, "utf8");
    return [...text.matchAll(/"(\d{4}-[\w.]+-\d+)"/g)].map(([, id]) => id as string);
  }),
);

const texts = new Map<string, string>();
function textOf(file: string): string {
  const known = texts.get(file);
  if (known !== undefined) return known;
  const text = existsSync(`${ROOT}/${file}`) ? readFileSync(`${ROOT}/${file}`, "utf8").replaceAll(/\(\s+/g, "(") : "";
  texts.set(file, text);
  return text;
}

/** A test, or a group of tests, is called so in the file. */
const titled = (file: string, title: string): boolean =>
  ['"', "`"].some((quote) => textOf(file).includes(`(${quote}${title}${quote}`));

/** Empty: the cell names what there is. */
function problemsOf(proof: string): string[] {
  if (proof === "") return ["names no test"];
  return proof.split(/; (?=`|n\/a)/).flatMap((item) => {
    if (item.startsWith("n/a")) return /^n\/a: \S+/.test(item) ? [] : ["says n/a and not why"];
    const test = /^`([\w/.-]+\.test\.ts)`: (.+)$/.exec(item);
    if (test !== null) {
      const [, file = "", title = ""] = test;
      if (textOf(file) === "") return [`${file} is not there`];
      return titled(file, title) ? [] : [`${file} has no test of the title: ${title}`];
    }
    const id = /^`([^`]+)`$/.exec(item)?.[1];
    if (id === undefined) return [`cannot be read: ${item}`];
    return caseIds.has(id) ? [] : [`there is no case ${id}`];
  });
}

describe("the RFC table", () => {
  it("names a test for every row, or says why there is none", () => {
    expect(rows.flatMap(({ id, proof }) => problemsOf(proof).map((problem) => `${id}: ${problem}`))).toEqual([]);
  });

  it("has every id once, made of RFC and section", () => {
    const full = rows.filter(({ id }) => id.startsWith("R"));
    expect(full.filter(({ id }, i) => full.findIndex((row) => row.id === id) !== i)).toEqual([]);
    const odd = full.filter(({ id, cells }) => !new RegExp(`^R\\d{4}-${cells[1]}-\\d\\d$`).test(id) || cells[2] === "");
    expect(odd.map(({ id }) => id)).toEqual([]);
  });

  it.each(IN_FULL)("has rows for RFC %s", (rfc) => {
    expect(rows.filter(({ id }) => id.startsWith(`R${rfc}-`)).length).toBeGreaterThan(10);
  });

  it.each(ALSO)("has a line for RFC %s", (rfc) => {
    expect(rows.filter(({ id }) => id === rfc)).toHaveLength(1);
  });

  it("knows the RFC of every conformance case", () => {
    const known = new Set(rows.map(({ id }) => id.replace(/^R(\d+)-.*/, "$1")));
    expect([...caseIds].filter((id) => !known.has(id.slice(0, 4)))).toEqual([]);
  });
});
