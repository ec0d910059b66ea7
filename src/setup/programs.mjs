/** What there is to run, and what each needs of the machine. */

const LAB_VERBS = new Set(["run", "up", "down", "status", "pod", "exec", "help"]);
const COMPILER = ["gcc", "musl-tools"];
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

/** needs: Debian packages; root: makes namespaces; plugin: the CNI plugin must be built first. */
export const PROGRAMS = {
  lab: { needs: LAB, root: true, plugin: true, command: lab },
  test: { needs: [...LAB, "containernetworking-plugins"], root: true, plugin: true, command: task("test") },
  e2e: { needs: LAB, root: true, plugin: true, command: task("e2e") },
  bench: { needs: [...LAB, "containernetworking-plugins"], root: true, plugin: true, command: task("bench") },
  build: { needs: COMPILER, root: false, plugin: false, command: task("build") },
  check: { needs: [], root: false, plugin: false, command: task("check") },
  unit: { needs: [], root: false, plugin: false, command: task("unit") },
};
