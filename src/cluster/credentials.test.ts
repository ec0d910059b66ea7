import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { readAny } from "./any-kubeconfig.ts";
import { ServiceAccount } from "./credentials.ts";
import { Kubeconfig } from "./kubeconfig.ts";
import { readPlain } from "./plain-kubeconfig.ts";

let folder: string;
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "overland-credentials-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a pod's service account", () => {
  const env = { KUBERNETES_SERVICE_HOST: "fd00:96::1", KUBERNETES_SERVICE_PORT: "6443" };

  it("says where the server is and what is shown to it, and reads a renewed token", async () => {
    let now = 0;
    file("token", "one\n");
    file("ca.crt", "CA\n");
    const account = new ServiceAccount(env, folder, () => now);
    const token = async () => (await account.current()).headers["authorization"];
    const { server, tls } = await account.current();
    expect([server.href, tls]).toEqual(["https://[fd00:96::1]:6443/", { ca: "CA" }]);
    file("token", "two");
    expect(await token()).toBe("Bearer one");
    now = 60_000;
    expect(await token()).toBe("Bearer two");
    file("token", "three");
    account.refused();
    expect(await token()).toBe("Bearer three");
    // Between one file and the next there may be none for a moment.
    rmSync(join(folder, "token"));
    account.refused();
    expect(await token()).toBe("Bearer three");
  });

  it("that is not there is said with what to do", async () => {
    const account = new ServiceAccount(env, join(folder, "none"));
    await expect(account.current()).rejects.toThrow(
      /the pod's service account cannot be read: .*automountServiceAccountToken/,
    );
  });
});

describe("a kubeconfig", () => {
  const config = (user: object, cluster: object = {}, current = "x") =>
    file(
      "kubeconfig",
      JSON.stringify({
        clusters: [{ name: "c", cluster: { server: "https://10.1.1.1:6443", ...cluster } }],
        users: [{ name: "u", user }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": current,
      }),
    );
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  it("with certificates, in it and in files beside it", async () => {
    file("ca.pem", "CA");
    const user = { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") };
    const path = config(user, { "certificate-authority": "ca.pem", "tls-server-name": "kubernetes" });
    const { server, tls, headers } = await new Kubeconfig(path).current();
    expect(server.href).toBe("https://10.1.1.1:6443/");
    expect(tls).toEqual({ ca: "CA", cert: "CERT", key: "KEY", servername: "kubernetes" });
    expect(headers).toEqual({});
  }, 30_000);

  it("that holds all itself is read as @kubernetes/client-node reads it", async () => {
    file("ca.pem", "CA");
    file("cert.pem", "CERT");
    const text = fc.constantFrom("", "one", "two\n");
    const field = (name: string, value: fc.Arbitrary<unknown>) =>
      fc.option(
        value.map((one) => ({ [name]: one })),
        { freq: 2 },
      );
    const rare = (name: string, value: fc.Arbitrary<unknown>) =>
      fc.boolean().chain((absent) => (absent ? fc.constant(null) : field(name, value)));
    const data = text.map(base64);
    const paths = fc.constantFrom("ca.pem", join(folder, "cert.pem"), "none.pem");
    const some = (...fields: fc.Arbitrary<object | null>[]) =>
      fc.tuple(...fields).map((chosen) => Object.assign({}, ...chosen.filter((one) => one !== null)) as object);
    const cluster = some(
      field("certificate-authority-data", data),
      field("certificate-authority", paths),
      field("tls-server-name", fc.constant("kubernetes")),
      field("server", fc.constantFrom("https://[fd00::1]:6443/x", "nowhere", "")),
      rare("insecure-skip-tls-verify", fc.boolean()),
    );
    const user = some(
      field("token", text),
      field("client-certificate-data", data),
      field("client-certificate", paths),
      field("client-key-data", data),
      field("client-key", paths),
      rare("username", text),
      rare("tokenFile", paths),
    );
    let plainly = 0;
    await fc.assert(
      fc.asyncProperty(user, cluster, fc.constantFrom("x", "y"), async (user, cluster, current) => {
        const path = config(user, cluster, current);
        const plain = readPlain(path);
        if (plain === undefined) return;
        plainly++;
        expect(plain).toEqual(await readAny(path));
      }),
      { numRuns: 500 },
    );
    expect(plainly).toBeGreaterThan(0);
  }, 60_000);

  it("with a program that gives the token, asked again when that is refused", async () => {
    let now = 0;
    const counter = join(folder, "count");
    const program = file(
      "plugin.sh",
      `#!/bin/sh
echo x >> ${counter}
n=$(wc -l < ${counter})
echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\", \\"status\\": {\\"token\\": \\"t$n\\"}}"
`,
    );
    chmodSync(program, 0o755);
    const path = config({ exec: { apiVersion: "client.authentication.k8s.io/v1", command: program } });
    const kubeconfig = new Kubeconfig(path, () => now);
    const token = async () => (await kubeconfig.current()).headers["authorization"];
    expect([await token(), await token()]).toEqual(["Bearer t1", "Bearer t1"]);
    kubeconfig.refused();
    expect(await token()).toBe("Bearer t1");
    now = 10_000;
    kubeconfig.refused();
    expect(await token()).toBe("Bearer t2");
  }, 30_000);

  it.each([
    ["is not there", () => join(folder, "none"), /kubeconfig .*none cannot be used: ENOENT/],
    ["is no YAML", () => file("bad", "a: ["), /cannot be used: \S/],
    ["names no context", () => config({ token: "t" }, {}, "y"), /current-context names no cluster of this file/],
    ["names no server", () => config({ token: "t" }, { server: "nowhere" }), /nowhere is not the URL of an API server/],
    ["wants a proxy", () => config({ token: "t" }, { "proxy-url": "http://p:1" }), /proxy-url is not supported/],
    ["has a program that is not there", () => config({ exec: { command: "/none" } }), /cannot be used: .*ENOENT/],
  ])(
    "that %s is refused in words",
    async (_, path, words) => {
      await expect(new Kubeconfig(path()).current()).rejects.toThrow(words);
    },
    30_000,
  );
});
