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

const openssl = (...words: string[]): void => {
  const { status, stderr, error } = spawnSync("openssl", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${words[0] ?? ""}: ${error?.message ?? stderr}`);
};

/** Those of a former start are used again, so that clients go on trusting it. */
export function certificates(directory: string, addresses: readonly string[]): Certificates {
  const ca = `${directory}/ca.crt`;
  if (!existsSync(ca)) {
    const uses = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    const subject = ["-subj", "/CN=kubernetes-ca", "-days", "3650"];
    openssl("req", "-x509", ...CURVE, ...subject, ...uses, "-keyout", `${directory}/ca.key`, "-out", ca);
  }
  const names = [
    ...addresses.map((address) => `${isIP(address) === 0 ? "DNS" : "IP"}:${address}`),
    ...NAMES.map((name) => `DNS:${name}`),
  ];
  const own = signed(
    directory,
    "server",
    "/CN=kube-apiserver",
    `subjectAltName=${names.join(",")}\nextendedKeyUsage=serverAuth`,
  );
  return { ca: readFileSync(ca, "utf8"), ...own };
}

/** As kubeadm and k3s give them: the user is the common name, the groups are the organizations. */
export function clientCertificate(directory: string, user: string, groups: readonly string[]): Signed {
  const subject = [...groups.map((group) => `/O=${group}`), `/CN=${user}`].join("");
  return signed(directory, `client-${user.replaceAll(/[^\w-]+/g, "-")}`, subject, "extendedKeyUsage=clientAuth");
}

type Signed = Pick<Certificates, "certificate" | "key">;

function signed(directory: string, name: string, subject: string, uses: string): Signed {
  const file = (end: string) => `${directory}/${name}.${end}`;
  const [ca, key] = [`${directory}/ca.crt`, `${directory}/ca.key`];
  const extensions = `${uses}\nbasicConstraints=CA:FALSE\n# ${subject}\n`;
  if (!existsSync(file("crt")) || readFileSync(file("ext"), "utf8") !== extensions) {
    openssl("req", "-new", ...CURVE, "-subj", subject, "-keyout", file("key"), "-out", file("csr"));
    writeFileSync(file("ext"), extensions);
    const signer = ["-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "3650"];
    openssl("x509", "-req", "-in", file("csr"), ...signer, "-extfile", file("ext"), "-out", file("crt"));
  }
  return { certificate: readFileSync(file("crt"), "utf8"), key: readFileSync(file("key"), "utf8") };
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
