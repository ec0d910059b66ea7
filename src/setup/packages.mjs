/**
 * Debian packages: which are missing (seen by the files they bring), and installing those.
 *
 * Debian starts a service the moment its package is installed. BIRD, FRR and etcd of the lab run in namespaces of
 * their own, so for the time of the installation a policy-rc.d forbids starting any, unless the machine has one
 * already; under systemd what came new is also disabled for the next boot. A service that ran before is not touched.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Unfit } from "./unfit.mjs";

const BINARY_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/** Any of a list is enough, all lists must have one; names without a slash are looked for where programs are. */
const SIGNS = {
  bird2: [["bird"], ["birdc"]],
  frr: [["/usr/lib/frr/bgpd"], ["/usr/lib/frr/zebra"], ["vtysh"]],
  gobgpd: [["gobgpd"]],
  openbgpd: [["/usr/sbin/bgpd"]],
  exabgp: [["exabgp"]],
  bgpdump: [["bgpdump"]],
  "etcd-server": [["etcd"]],
  "etcd-client": [["etcdctl"]],
  iproute2: [["ip"]],
  nftables: [["nft"]],
  tcpdump: [["tcpdump"]],
  "iputils-ping": [["ping"]],
  "util-linux": [["nsenter"]],
  curl: [["curl"]],
  openssl: [["openssl"]],
  procps: [["ps"]],
  gcc: [["gcc"]],
  "libc6-dev": [["/usr/include/stdio.h"]],
  "musl-tools": [["musl-gcc", ...staticLibraries()]],
  containerd: [["containerd"], ["containerd-shim-runc-v2"], ["ctr"]],
  runc: [["runc"]],
  iptables: [["iptables"], ["ip6tables"]],
  "kubernetes-client": [["kubectl"]],
  "containernetworking-plugins": [["/usr/lib/cni/ptp", "/opt/cni/bin/ptp"]],
};

const SERVICES = {
  bird2: ["bird"],
  frr: ["frr"],
  gobgpd: ["gobgpd"],
  openbgpd: ["openbgpd", "bgplgd"],
  exabgp: ["exabgp"],
  "etcd-server": ["etcd"],
  containerd: ["containerd"],
};
const POLICY = "/usr/sbin/policy-rc.d";

export function installPackages(needed) {
  const missing = needed.filter((name) => !isThere(name));
  if (missing.length === 0) return;
  const all = missing.join(" ");
  if (!existsSync("/usr/bin/apt-get")) {
    throw new Unfit(
      `missing on this machine: ${all}; there is no apt-get to install them with. Debian 12 or Ubuntu is expected; ` +
        "elsewhere install them by hand.",
    );
  }
  if (process.getuid?.() !== 0)
    throw new Unfit(`missing on this machine: ${all}. Install them as root: apt-get install ${all}`);
  process.stdout.write(`overland: installing Debian packages: ${all}\n`);
  withoutServices(missing, () => {
    if (!listsKnow(missing)) updateLists();
    if (install(missing).status === 0) return;
    // The lists were older than the archive: once more with fresh ones.
    updateLists();
    const again = install(missing);
    if (again.status !== 0) {
      throw new Unfit(`apt-get could not install ${all}: ${lastLines(again)}. Put that right and run this again.`);
    }
  });
  const still = missing.filter((name) => !isThere(name));
  if (still.length > 0)
    throw new Unfit(`apt-get installed ${still.join(" ")}, but what they should bring is not there. Reinstall them.`);
}

function isThere(name) {
  return SIGNS[name].every((ways) => ways.some(isFile));
}

const isFile = (name) =>
  name.startsWith("/") ? existsSync(name) : BINARY_FOLDERS.some((folder) => existsSync(`${folder}/${name}`));

/** gcc can link the plugin statically when the C library's archive is there. */
function staticLibraries() {
  const folders = existsSync("/usr/lib") ? readdirSync("/usr/lib").filter((name) => name.endsWith("-linux-gnu")) : [];
  return folders.map((name) => `/usr/lib/${name}/libc.a`);
}

const apt = (args) =>
  spawnSync("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=120", ...args], {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
  });

const install = (names) => apt(["install", "-y", "--no-install-recommends", ...names]);

function updateLists() {
  process.stdout.write("overland: apt-get update\n");
  const updated = apt(["update"]);
  if (updated.status !== 0)
    throw new Unfit(`apt-get update failed: ${lastLines(updated)}. Check the network and /etc/apt/sources.list.`);
}

const listsKnow = (names) =>
  spawnSync("apt-cache", ["show", "--no-all-versions", ...names], { stdio: "ignore" }).status === 0;

function lastLines({ stderr, stdout, error }) {
  const said = (stderr || stdout || error?.message || "").trim().split("\n");
  return said.slice(-3).join(" / ");
}

function withoutServices(names, work) {
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    work();
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
  if (!existsSync("/run/systemd/system")) return;
  const units = names.flatMap((name) => SERVICES[name] ?? []);
  if (units.length > 0) spawnSync("systemctl", ["disable", "--quiet", ...units], { stdio: "ignore" });
}
