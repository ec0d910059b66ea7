/** What there is to run, and what each needs of the machine. */

const LAB_VERBS = new Set(["run", "up", "down", "status", "pod", "exec", "help"]);
const COMPILER = ["gcc", "musl-tools"];
/** Unit tests of the store, the kernel code and the plugin run the real thing too, in scratch namespaces. */
const UNIT = [
  "etcd-server",
  "etcd-client",
  "openssl",
  "iproute2",
  "nftables",
  "util-linux",
  "bird2",
  "bgpdump",
  "tcpdump",
  ...COMPILER,
];
/** Peers of the e2e scenarios beside those of the lab. */
const PEERS = ["gobgpd", "openbgpd", "exabgp"];
/** What makes pods in the e2e scenarios; portmap calls iptables, and their one program is linked statically. */
const RUNTIME = ["containerd", "runc", "containernetworking-plugins", "iptables", "libc6-dev"];
/** kubectl, run against the API server that the e2e scenarios bring. */
const CLUSTER = ["kubernetes-client"];
const REFERENCE_PLUGINS = ["containernetworking-plugins", "libc6-dev"];
/** BIRD and FRR are compared with, too, but the lab has them already. */
const OTHER_SPEAKERS = ["gobgpd", "openbgpd", "libc6-dev"];
const LAB = [
  "bird2",
  "frr",
  "etcd-server",
  "etcd-client",
  "iproute2",
  "nftables",
  "tcpdump",
  "iputils-ping",
  "util-linux",
  "curl",
  ...COMPILER,
];

const task = (name) => (args) => ["src/setup/tasks.mjs", name, ...args];

/** `npm run lab -- --once` is `overland lab run --once`; `npm run lab -- down` is `overland lab down`. */
const lab = (args) => ["src/main.ts", "lab", ...(LAB_VERBS.has(args[0] ?? "") ? [] : ["run"]), ...args];

const bench = ([name]) => [...LAB, ...(name === "bgp" ? OTHER_SPEAKERS : REFERENCE_PLUGINS)];

/**
 * needs: Debian packages, or a function of the arguments that names them; root: makes namespaces; plugin: the CNI
 * plugin must be built first.
 */
export const PROGRAMS = {
  lab: { needs: LAB, root: true, plugin: true, command: lab },
  test: {
    needs: [...new Set([...LAB, ...UNIT, ...PEERS, ...RUNTIME, ...CLUSTER, "procps"])],
    root: true,
    plugin: true,
    command: task("test"),
  },
  e2e: {
    needs: [...LAB, ...PEERS, ...RUNTIME, ...CLUSTER, "openssl", "bgpdump", "procps"],
    root: true,
    plugin: true,
    command: task("e2e"),
  },
  bench: { needs: bench, root: true, plugin: true, command: task("bench") },
  build: { needs: COMPILER, root: false, plugin: false, command: task("build") },
  check: { needs: [], root: false, plugin: false, command: task("check") },
  fuzz: { needs: [], root: false, plugin: false, command: task("fuzz") },
  unit: { needs: UNIT, root: true, plugin: true, command: task("unit") },
};
