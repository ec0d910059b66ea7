import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

const LAUNCHER = new URL("../overland", import.meta.url).pathname;

let root: string;
let launcher: string;

/** A checkout with the launcher and a node that says it is of some version, and prints its arguments. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "overland launcher-"));
  for (const folder of ["src", "dist/src", "node_modules/.bin"]) mkdirSync(join(root, folder), { recursive: true });
  launcher = join(root, "src/overland");
  copyFileSync(LAUNCHER, launcher);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function withNode(version: string): void {
  const node = join(root, "node_modules/.bin/node");
  writeFileSync(
    node,
    `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nfor a in "$@"; do echo "<$a>"; done\n`,
  );
  chmodSync(node, 0o755);
}

function run(command: string, env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(command, ["get", "a b"], { env: { PATH: "/usr/bin:/bin", ...env } });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

describe("the launcher", () => {
  it("runs the sources with the checkout's own node, also through a relative link", () => {
    withNode("v22.18.0");
    writeFileSync(join(root, "src/main.ts"), "");
    symlinkSync("src/overland", join(root, "link"));
    const expected = {
      status: 0,
      stdout: `<--max-semi-space-size=4>\n<${root}/src/main.ts>\n<get>\n<a b>\n`,
      stderr: "",
    };
    expect(run(launcher)).toEqual(expected);
    expect(run(join(root, "link"))).toEqual(expected);
  });

  it("runs what was built when asked to, or when there are no sources", () => {
    withNode("v24.0.0");
    writeFileSync(join(root, "dist/src/main.js"), "");
    expect(run(launcher).stdout).toMatch(/\/dist\/src\/main\.js>/);
    writeFileSync(join(root, "src/main.ts"), "");
    expect(run(launcher).stdout).toMatch(/\/src\/main\.ts>/);
    expect(run(launcher, { OVERLAND_DIST: "1" }).stdout).toMatch(/\/dist\/src\/main\.js>/);
  });

  it("runs what was built while no source is newer", () => {
    withNode("v24.0.0");
    for (const file of ["src/main.ts", "dist/src/main.js"]) writeFileSync(join(root, file), "");
    utimesSync(join(root, "src/main.ts"), 1000, 1000);
    expect(run(launcher).stdout).toMatch(/\/dist\/src\/main\.js>/);
    mkdirSync(join(root, "bgp"));
    writeFileSync(join(root, "bgp/speaker.ts"), "");
    expect(run(launcher).stdout).toMatch(/\/src\/main\.ts>/);
  });

  it.each([
    ["v20.19.5", /^overland: Node\.js v20\.19\.5 is too old; install 22\.18 or newer, or run npm ci in /],
    ["v22.17.9", /is too old/],
    ["nonsense", /^overland: \S.* does not run \(it says its version is 'nonsense'\)\n$/],
    ["v24.1.0", /^overland: .*\/dist\/src\/main\.js does not exist; run npm run build in /],
  ])("with node %s and nothing to run says what to do", (version, words) => {
    withNode(version);
    expect(run(launcher)).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(words) });
  });
});
