import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { belonging } from "./down.ts";
import { isRunning, ownLine, parseStat, processStat } from "./proc.ts";
import { stop } from "./processes.ts";

const at = (pid: number, startTime = "1") => ({ pid, startTime });
const always = () => true;

describe("which processes belong to a lab", () => {
  it("takes what was recorded and what was found, each once", () => {
    expect(belonging([at(10), at(11)], [at(11), at(12)], new Set(), always)).toEqual([at(10), at(11), at(12)]);
  });

  it("leaves a recorded pid alone that another program has now", () => {
    const running = (identity: { startTime: string }) => identity.startTime === "2";
    expect(belonging([at(10, "1")], [at(12, "2")], new Set(), running)).toEqual([at(12, "2")]);
  });

  it("spares whoever asks, and its ancestors", () => {
    expect(belonging([at(10)], [at(11)], new Set([11]), always)).toEqual([at(10)]);
    expect(ownLine().has(process.pid)).toBe(true);
    expect(ownLine().has(process.ppid)).toBe(true);
  });
});

describe("/proc/PID/stat", () => {
  const tail = "S 77 1 1 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 424242 1 1";

  it("is read behind the last parenthesis of the name", () => {
    expect(parseStat(`12 (a) b) S 5) ${tail}`)).toEqual({ pid: 12, startTime: "424242", parent: 77, ended: false });
  });

  it("tells a zombie", () => {
    expect(parseStat(`12 (x) ${tail.replace("S", "Z")}`)?.ended).toBe(true);
  });

  it("answers nothing for anything else", () => {
    for (const text of ["", "12", "12 (x", "12 (x) S 1"]) expect(parseStat(text)).toBeUndefined();
  });
});

describe("ending a process by its identity", () => {
  it("ends the recorded one and not one with another start time", async () => {
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    const ended = once(child, "exit");
    const stat = processStat(child.pid ?? 0);
    expect(stat).toBeDefined();
    const other = { pid: child.pid ?? 0, startTime: "0" };
    expect(isRunning(other)).toBe(false);
    // "other" stands for a pid the kernel has handed out again: no signal may reach it.
    await stop([{ ...other }], 50);
    expect(child.exitCode).toBeNull();
    if (stat !== undefined) await stop([stat], 1000);
    expect(await ended).toEqual([null, "SIGTERM"]);
  });
});
