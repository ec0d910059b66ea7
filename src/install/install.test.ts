import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { builtPlugin, installList, installPlugin, uninstall, wiredPods } from "./install.ts";
import { NETWORK_LIST, networkList, USUAL_TEMPLATE } from "./network-list.ts";
import { replaceFile } from "./replace-file.ts";

let host: string;
let bin: string;
let conf: string;

beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), "overland-install-"));
  [bin, conf] = [join(host, "opt/cni/bin"), join(host, "etc/cni/net.d")];
});
afterEach(() => rmSync(host, { recursive: true, force: true }));

function version(plugin: string): unknown {
  const env = { CNI_COMMAND: "VERSION" };
  const { stdout } = spawnSync(plugin, { env, input: '{"cniVersion":"1.0.0","name":"overland"}', encoding: "utf8" });
  return JSON.parse(stdout);
}

describe("the plugin", () => {
  it("is executed under both its names, and stays as it is the second time", () => {
    expect(installPlugin(builtPlugin(), bin).map(({ done }) => done)).toEqual(["created", "created"]);
    const before = statSync(join(bin, "overland")).ino;
    for (const name of ["overland", "overland-ipam"]) {
      expect(version(join(bin, name))).toMatchObject({ supportedVersions: expect.arrayContaining(["1.0.0"]) });
    }
    expect(installPlugin(builtPlugin(), bin).map(({ done }) => done)).toEqual(["unchanged", "unchanged"]);
    expect(statSync(join(bin, "overland")).ino).toBe(before);
    expect(readdirSync(bin).sort()).toEqual(["overland", "overland-ipam"]);
  });

  it("is replaced under a runtime that executes it, which ends as it began", async () => {
    installPlugin(builtPlugin(), bin);
    const held = await heldRequest(join(bin, "overland"), join(host, "agent.sock"));
    const other = join(host, "newer");
    writeFileSync(other, Buffer.concat([readFileSync(builtPlugin()), Buffer.from("newer")]), { mode: 0o755 });
    expect(installPlugin(other, bin).map(({ done }) => done)).toEqual(["changed", "changed"]);
    expect(version(join(bin, "overland"))).toMatchObject({ cniVersion: "1.0.0" });
    expect(await held.answer('{"cniVersion":"1.0.0"}')).toEqual({ code: 0, output: '{"cniVersion":"1.0.0"}' });
  });

  it("gets its mode back, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      installPlugin(builtPlugin(), bin);
    } finally {
      process.umask(before);
    }
    expect(statSync(join(bin, "overland")).mode & 0o777).toBe(0o755);
    chmodSync(join(bin, "overland"), 0o600);
    installPlugin(builtPlugin(), bin);
    expect(statSync(join(bin, "overland")).mode & 0o777).toBe(0o755);
  });
});

describe("the network list", () => {
  const types = (path: string) =>
    (JSON.parse(readFileSync(path, "utf8")) as { plugins: { type: string }[] }).plugins.map(({ type }) => type);

  it("names the plugins that the host has, in the template's order", () => {
    expect(installList(USUAL_TEMPLATE, conf, bin)).toMatchObject({ done: "created", absent: ["bandwidth", "portmap"] });
    expect(types(join(conf, NETWORK_LIST))).toEqual(["overland"]);
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "portmap"), "");
    expect(installList(USUAL_TEMPLATE, conf, bin)).toMatchObject({ done: "changed", absent: ["bandwidth"] });
    expect(types(join(conf, NETWORK_LIST))).toEqual(["overland", "portmap"]);
    expect(installList(USUAL_TEMPLATE, conf, bin).done).toBe("unchanged");
    expect(readdirSync(conf)).toEqual([NETWORK_LIST]);
    expect(statSync(join(conf, NETWORK_LIST)).mode & 0o777).toBe(0o644);
  });

  it("says which networks the runtime would take before it", () => {
    mkdirSync(conf, { recursive: true });
    for (const name of [
      "05-cilium.conflist",
      "10-calico.conflist",
      "20-bridge.conf",
      "00-note.txt",
      "calico-kubeconfig",
    ]) {
      writeFileSync(join(conf, name), "{}");
    }
    expect(installList(USUAL_TEMPLATE, conf, bin).before).toEqual(["05-cilium.conflist", "10-calico.conflist"]);
  });

  it("of somebody else under its name is left", () => {
    mkdirSync(conf, { recursive: true });
    const theirs = '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"bridge"}]}';
    writeFileSync(join(conf, NETWORK_LIST), theirs);
    expect(() => installList(USUAL_TEMPLATE, conf, bin)).toThrow("somebody else's");
    expect(uninstall(conf, bin, 0)[0]).toMatchObject({ done: "left" });
    expect(readFileSync(join(conf, NETWORK_LIST), "utf8")).toBe(theirs);
  });

  it.each([
    ["nothing", "is not JSON"],
    ["[]", "no JSON object"],
    ['{"name":"a","plugins":[]}', "cniVersion: undefined is not one of"],
    ['{"cniVersion":"1.0.0","plugins":[]}', "name: is required"],
    ['{"cniVersion":"1.0.0","name":"a","plugins":{}}', "plugins: has to be a list"],
    ['{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}', "none has the type overland"],
    ['{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"overland"},{"type":"../x"}]}', "is not the name of a file"],
  ])("is not made of %s", (template, says) => {
    expect(() => networkList(template, () => true)).toThrow(says);
    expect(() => installList(template, conf, bin)).toThrow(says);
    expect(existsSync(conf)).toBe(false);
  });

  it("keeps what the template says beside", () => {
    const plugin = { type: "overland", mtu: 1400, socket: "/run/o.sock" };
    const template = { cniVersion: "0.4.0", name: "pods", disableCheck: true, plugins: [plugin] };
    expect(JSON.parse(networkList(JSON.stringify(template), () => false).text)).toEqual(template);
  });
});

describe("uninstalling", () => {
  it("removes what was put there, once", () => {
    installPlugin(builtPlugin(), bin);
    installList(USUAL_TEMPLATE, conf, bin);
    writeFileSync(join(bin, "portmap"), "");
    expect(uninstall(conf, bin, 0).map(({ done }) => done)).toEqual(["removed", "removed", "removed"]);
    expect([readdirSync(bin), readdirSync(conf)]).toEqual([["portmap"], []]);
    expect(uninstall(conf, bin, 0).map(({ done }) => done)).toEqual(Array(3).fill("was not there"));
  });

  it("keeps the plugin while pods need it to be taken down", () => {
    installPlugin(builtPlugin(), bin);
    installList(USUAL_TEMPLATE, conf, bin);
    mkdirSync(join(host, "attachments"));
    for (const name of ["a-eth0.json", "b-eth0.json", ".tmp"]) writeFileSync(join(host, "attachments", name), "{}");
    expect(wiredPods(host)).toBe(2);
    expect(wiredPods(join(host, "nowhere"))).toBe(0);
    expect(uninstall(conf, bin, 2).map(({ done }) => done)).toEqual(["removed", "left", "left"]);
    expect(existsSync(join(bin, "overland"))).toBe(true);
  });

  it("leaves another program of that name", () => {
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "overland"), "#!/bin/sh\n");
    expect(uninstall(conf, bin, 0)[1]).toMatchObject({ done: "left", why: "it is another program" });
  });
});

describe("a host that refuses", () => {
  it("a read-only file system is called so, and nothing is left behind", () => {
    const script = `mount -t tmpfs tmpfs ${host} && mkdir -p ${conf} && mount -o remount,ro ${host} &&
      exec node --no-warnings -e 'import("${import.meta.resolve("./install.ts")}").then(({ installList }) => {
        try { installList(process.argv[1], process.argv[2], "/nowhere") } catch (error) { console.log(error.message) }
      })' '${USUAL_TEMPLATE}' ${conf}`;
    const { stdout } = spawnSync("unshare", ["--mount", "sh", "-c", script], { encoding: "utf8" });
    expect(stdout).toContain(`${conf}/${NETWORK_LIST}: is on a read-only file system; mount the host's directory`);
  });

  it("a path that is a file, a directory in the place of the file", () => {
    writeFileSync(join(host, "file"), "");
    expect(() => replaceFile(join(host, "file/a"), "x", 0o644)).toThrow(/a part of its path is a file|EEXIST/);
    mkdirSync(join(host, "directory"));
    expect(() => replaceFile(join(host, "directory"), "x", 0o644)).toThrow("is a directory");
    expect(readdirSync(host).sort()).toEqual(["directory", "file"]);
  });

  it("a link in the place of the file is replaced, and what it leads to is not written", () => {
    writeFileSync(join(host, "elsewhere"), "theirs");
    symlinkSync(join(host, "elsewhere"), join(host, "link"));
    replaceFile(join(host, "link"), "ours", 0o644);
    expect(readFileSync(join(host, "elsewhere"), "utf8")).toBe("theirs");
  });
});

/** The plugin in the middle of an ADD: an agent that has the request and does not answer yet. */
async function heldRequest(plugin: string, socket: string) {
  let child: ChildProcess | undefined;
  const answering = await new Promise<(body: string) => void>((resolve, reject) => {
    const server = createServer((connection) => {
      connection.once("data", () =>
        resolve((body) => {
          connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
          server.close();
        }),
      );
    });
    server.listen(socket, () => {
      child = spawn(plugin, { env: { CNI_COMMAND: "ADD" }, stdio: ["pipe", "pipe", "inherit"] });
      child.on("error", reject);
      child.stdin?.end(JSON.stringify({ cniVersion: "1.0.0", name: "overland", socket }));
    });
  });
  return {
    async answer(body: string) {
      let output = "";
      child?.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
      const ended = new Promise<number | null>((resolve) => child?.on("close", resolve));
      answering(body);
      return { code: await ended, output };
    },
  };
}
