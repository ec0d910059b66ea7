import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import { openLog } from "./log.ts";

/** A stream that keeps what is written; while it is stuck, nothing gets through. */
class Paper extends Writable {
  text = "";
  stuck = false;
  #waiting: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const write = () => {
      this.text += chunk.toString();
      done();
    };
    if (this.stuck) this.#waiting.push(write);
    else write();
  }

  free(): void {
    this.stuck = false;
    for (const write of this.#waiting.splice(0)) write();
  }

  get lines(): Record<string, unknown>[] {
    return this.text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));
  }
}

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("the log", () => {
  it("is one JSON object a line: time, level, message, then the fields", async () => {
    const stream = new Paper();
    const log = openLog({ stream });
    log.info("session is up", { peer: "10.0.0.1", level: "mine", routes: 3n, id: Uint8Array.of(10, 255) });
    await log.close();
    expect(stream.text).toMatch(/^\{"time":"[^"]+","level":"info","message":"session is up","peer":"10\.0\.0\.1",/);
    expect(stream.lines).toEqual([
      { time, level: "info", message: "session is up", peer: "10.0.0.1", routes: "3", id: "0aff" },
    ]);
  });

  it("gives a child's fields to each of its lines", async () => {
    const stream = new Paper();
    const log = openLog({ stream });
    const child = log.child({ part: "bgp", peer: "a" }).child({ peer: "b" });
    child.warn("x", { n: 1 });
    await log.close();
    expect(stream.lines).toEqual([{ time, level: "warn", message: "x", part: "bgp", peer: "b", n: 1 }]);
  });

  it("throws away what is below its level, for children too, and follows a change", async () => {
    const stream = new Paper();
    const log = openLog({ stream, level: "warn" });
    const child = log.child({});
    child.info("a");
    expect([child.enabled("info"), child.enabled("warn")]).toEqual([false, true]);
    log.setLevel("debug");
    expect(child.enabled("debug")).toBe(true);
    child.debug("b");
    await log.close();
    expect(stream.lines.map(({ message }) => message)).toEqual(["b"]);
  });

  it("says what is in an error: its code, its causes, and its place when nobody foresaw it", async () => {
    const stream = new Paper();
    const log = openLog({ stream });
    const cause = Object.assign(new Error("connect failed"), { code: "ECONNREFUSED" });
    log.error("no etcd", { error: new TypeError("cannot list", { cause }), nested: { error: cause } });
    await log.close();
    expect(stream.lines[0]).toMatchObject({
      error: {
        message: "cannot list",
        name: "TypeError",
        stack: expect.stringContaining("log.test.ts"),
        cause: { message: "connect failed", code: "ECONNREFUSED" },
      },
      nested: { error: { message: "connect failed", code: "ECONNREFUSED" } },
    });
  });

  it("takes any value, also one that contains itself", async () => {
    const stream = new Paper();
    const log = openLog({ stream });
    const loop: Record<string, unknown> = {
      at: new Date(0),
      map: new Map([[1, "one"]]),
      none: undefined,
      nan: Number.NaN,
    };
    loop["self"] = loop;
    log.info("x", { loop, list: [1, { a: [] }] });
    await log.close();
    expect(stream.lines[0]).toMatchObject({
      loop: { at: "1970-01-01T00:00:00.000Z", map: { 1: "one" } },
      list: [1, { a: [] }],
    });
  });

  it("drops and counts lines when they cannot be written, instead of keeping them", async () => {
    const stream = new Paper();
    const log = openLog({ stream, limit: 10_000 });
    stream.stuck = true;
    for (let i = 0; i < 10_000; i++) log.info(`line ${i}`);
    stream.free();
    await new Promise((resolve) => setImmediate(resolve));
    stream.free();
    log.info("back");
    await log.close();
    const { lines } = stream;
    expect(lines.length).toBeLessThan(300);
    expect(lines.at(-1)).toMatchObject({ message: "back" });
    const dropped = lines.find((line) => "dropped" in line)?.["dropped"] as number;
    expect(dropped + lines.length - 2).toBe(10_000);
  });

  it("appends to a file, and says why when it cannot", async () => {
    const folder = mkdtempSync(join(tmpdir(), "overland-log-"));
    try {
      const file = join(folder, "log");
      for (const message of ["a", "b"]) {
        const log = openLog({ file });
        log.info(message);
        await log.close();
      }
      expect(readFileSync(file, "utf8").split("\n")).toHaveLength(3);
      expect(() => openLog({ file: folder })).toThrow(`cannot write the log file ${folder}: `);
      expect(() => openLog({ file: join(folder, "no", "log") })).toThrow(/ENOENT/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
