/** The server's own CA and certificate, made once in its directory. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";

export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Those of a former start are used again, so that clients go on trusting it. */
export function certificates(directory: string, addresses: readonly string[]): Certificates {
  const file = (name: string) => `${directory}/${name}`;
  const openssl = (...words: string[]) => {
    const { status, stderr, error } = spawnSync("openssl", words, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${words[0] ?? ""}: ${error?.message ?? stderr}`);
  };
  if (!existsSync(file("ca.crt"))) {
    const uses = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    const subject = ["-subj", "/CN=kubernetes-ca", "-days", "3650"];
    openssl("req", "-x509", ...CURVE, ...subject, ...uses, "-keyout", file("ca.key"), "-out", file("ca.crt"));
  }
  const names = [
    ...addresses.map((address) => `${isIP(address) === 0 ? "DNS" : "IP"}:${address}`),
    ...NAMES.map((name) => `DNS:${name}`),
  ];
  const extensions = `subjectAltName=${names.join(",")}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`;
  if (!existsSync(file("server.crt")) || readFileSync(file("server.ext"), "utf8") !== extensions) {
    writeFileSync(file("server.ext"), extensions);
    openssl(
      "req",
      "-new",
      ...CURVE,
      "-subj",
      "/CN=kube-apiserver",
      "-keyout",
      file("server.key"),
      "-out",
      file("server.csr"),
    );
    const signer = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "3650"];
    openssl(
      "x509",
      "-req",
      "-in",
      file("server.csr"),
      ...signer,
      "-extfile",
      file("server.ext"),
      "-out",
      file("server.crt"),
    );
  }
  const read = (name: string) => readFileSync(file(name), "utf8");
  return { ca: read("ca.crt"), certificate: read("server.crt"), key: read("server.key") };
}

export function kubeconfig(server: string, ca: string, user: string, token: string): string {
  return `apiVersion: v1
kind: Config
clusters:
- name: overland-e2e
  cluster:
    server: ${server}
    certificate-authority-data: ${Buffer.from(ca).toString("base64")}
users:
- name: ${user}
  user:
    token: ${token}
contexts:
- name: overland-e2e
  context:
    cluster: overland-e2e
    user: ${user}
current-context: overland-e2e
`;
}
