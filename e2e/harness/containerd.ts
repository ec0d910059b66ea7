/**
 * A node's own containerd, of the Debian package, with the real CNI plugin: several on one machine, and nothing left of
 * them.
 *
 * Its network is the lab node's namespace. Its files are a memory file system of its own, and a mount namespace puts
 * parts of that where programs have no other place for them: /etc/cni and /opt/cni (which `ctr run --cni` takes no
 * option for), /var/lib/cni (libcni's cache), /run/containerd (the shims' sockets). That file system's mounts are
 * shared with the machine, because the agent must find the pods' network namespaces where the runtime says they are,
 * as it does on a real node.
 *
 * Found out on the way: without CAP_SYS_RESOURCE runc fails with "can't get final child's PID from pipe" unless
 * restrict_oom_score_adj is set; cgroups of version 1 and 2 both do, with the cgroupfs driver; overlayfs lies on the
 * memory file system, so it also works in a container whose own root is an overlay.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { NodeStatus } from "../../src/lab/status.ts";
import { type Finished, must, run } from "./command.ts";
import { Cri } from "./cri.ts";
import { buildPodImage, POD_IMAGE } from "./pod-image.ts";
import { end, type Process, processesIn, processesWith, processIn, startIn } from "./processes.ts";
import { PLUGIN } from "./program.ts";
import { eventually } from "./wait.ts";

/** Where a program looks, and which part of the node's files is there. */
const PLACES = {
  "/etc/cni": "etc-cni",
  "/opt/cni": "opt-cni",
  "/var/lib/cni": "var-cni",
  "/run/containerd": "run",
} as const;
const DEBIAN_PLUGINS = ["/usr/lib/cni", "/opt/cni/bin"];

export class Containerd {
  readonly name: string;
  readonly directory: string;
  readonly node: NodeStatus;
  readonly log: string;
  readonly cri: Cri;
  /** Directories that were not on the machine. */
  readonly #made: string[] = [];

  constructor(lab: string, node: NodeStatus, log: string) {
    this.name = `overland-${lab}-${node.name}`;
    this.directory = `${tmpdir()}/${this.name}`;
    this.node = node;
    this.log = log;
    this.cri = new Cri(this.#socket, this.name);
  }

  get #socket(): string {
    return `${this.directory}/containerd.sock`;
  }

  /** The file that an operator writes on a node. */
  get networkConfiguration(): string {
    return `${this.directory}/etc-cni/net.d/10-overland.conflist`;
  }

  /** Also clears away what a scenario that was killed left. With its image, and the network configured. */
  async start(): Promise<void> {
    await this.destroy();
    mkdirSync(this.directory, { recursive: true });
    await must(["mount", "-t", "tmpfs", "-o", "mode=0755", this.name, this.directory]);
    await must(["mount", "--make-shared", this.directory]);
    for (const part of ["etc-cni/net.d", "opt-cni/bin", "var-cni", "run", "image"])
      mkdirSync(`${this.directory}/${part}`, { recursive: true });
    for (const name of ["portmap", "loopback"]) copyFileSync(debianPlugin(name), `${this.#plugins}/${name}`);
    copyFileSync(PLUGIN, `${this.#plugins}/overland`);
    writeFileSync(`${this.directory}/config.toml`, this.#configuration());
    await this.launch();
    await this.ctr(["images", "import", await buildPodImage(`${this.directory}/image`)], "k8s.io");
    this.configureNetwork();
  }

  /** Starts the program: at first, and again after it was ended. */
  async launch(): Promise<void> {
    for (const place of Object.keys(PLACES)) {
      const made = mkdirSync(place, { recursive: true });
      if (made !== undefined) this.#made.push(place, made);
    }
    const mounts = Object.entries(PLACES).map(
      ([place, part]) =>
        `mount --make-private "$(stat -c %m ${place})"; mount --bind ${this.directory}/${part} ${place}`,
    );
    const script = [...mounts, `exec containerd --config ${this.directory}/config.toml`].join("\n");
    const command = ["unshare", "--mount", "--propagation", "unchanged", "--", "sh", "-ec", script];
    startIn(this.node.netns, command, this.log, { ...process.env, OVERLAND_E2E_RUNTIME: this.name });
    await eventually(`containerd on ${this.node.name} answers`, 30, () => this.cri.version());
  }

  /** The network as an operator configures it, or as the words given. */
  configureNetwork(text = this.#conflist()): void {
    writeFileSync(this.networkConfiguration, text);
  }

  process(): Process {
    return processIn(this.node.netns, "containerd", "--config", `${this.directory}/config.toml`);
  }

  /** A command where the node's files and network are. */
  run(command: readonly string[]): Promise<Finished> {
    const { pid } = this.process();
    return run(["nsenter", "--target", String(pid), "--mount", "--net", "--", ...command], { timeoutMs: 60_000 });
  }

  /** In this namespace of containerd (default: one for `ctr` alone); throws with its words when it fails. */
  async ctr(words: readonly string[], namespace = this.name): Promise<string> {
    const { code, stdout, stderr } = await this.run(["ctr", "-a", this.#socket, "-n", namespace, ...words]);
    if (code !== 0) throw new Error(`ctr ${words.join(" ")}: exit code ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** Names of the results that libcni keeps for pods it believes to be there. */
  cachedResults(): string[] {
    const results = `${this.directory}/var-cni/results`;
    return existsSync(results) ? readdirSync(results) : [];
  }

  /** Everything goes, whatever state it is in; safe to repeat. */
  async destroy(): Promise<void> {
    // Containers first: a shim that dies leaves them behind, nobody's children.
    for (let round = 0; round < 5; round++) {
      const daemons = processesWith(`OVERLAND_E2E_RUNTIME=${this.name}`);
      const doomed = [...descendants(daemons), ...daemons];
      if (doomed.length === 0) break;
      for (const pid of doomed) kill(pid);
      await eventually(
        `processes of ${this.name} end`,
        10,
        () => !doomed.some((pid) => existsSync(`/proc/${pid}/ns/net`)),
      );
    }
    for (const point of mountsUnder(this.directory)) await run(["umount", "-l", point]);
    removeCgroups(this.name);
    for (const directory of [this.directory, ...this.#made.splice(0)]) removeIfEmpty(directory);
  }

  get #plugins(): string {
    return `${this.directory}/opt-cni/bin`;
  }

  #configuration(): string {
    const cri = 'plugins."io.containerd.grpc.v1.cri"';
    return `version = 2
root = "${this.directory}/root"
state = "${this.directory}/state"
[grpc]
  address = "${this.#socket}"
[${cri}]
  sandbox_image = "${POD_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[${cri}.cni]
  conf_dir = "/etc/cni/net.d"
  bin_dir = "/opt/cni/bin"
  max_conf_num = 1
[${cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "${this.directory}/runc"
`;
  }

  #conflist(): string {
    const { socket, stateDir } = this.node;
    const plugins = [
      { type: "overland", socket, stateDir },
      { type: "portmap", snat: true, capabilities: { portMappings: true } },
    ];
    return `${JSON.stringify({ cniVersion: "1.0.0", name: "overland", plugins }, null, 2)}\n`;
  }
}

function debianPlugin(name: string): string {
  const found = DEBIAN_PLUGINS.map((directory) => `${directory}/${name}`).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no CNI plugin ${name}: apt-get install containernetworking-plugins`);
  return found;
}

/** Shims running now, one per sandbox. */
export const shims = ({ node, name }: Containerd): Process[] =>
  processesIn(node.netns, "containerd-shim-runc-v2").filter(
    ({ environment }) => environment.OVERLAND_E2E_RUNTIME === name,
  );

/** Ends the sandbox's shim and with it the container, as a machine short of memory would. */
export async function killShimOf(containerd: Containerd, sandbox: string): Promise<void> {
  const shim = shims(containerd).find(({ command }) => command.includes(sandbox));
  if (shim === undefined) throw new Error(`no shim of sandbox ${sandbox}`);
  const children = descendants([shim.pid]);
  await end(shim);
  children.forEach(kill);
}

/** Deepest first. */
function descendants(parents: readonly number[]): number[] {
  const byParent = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    const parent = parentOf(name);
    byParent.set(parent, [...(byParent.get(parent) ?? []), Number(name)]);
  }
  const below = (pid: number): number[] => (byParent.get(pid) ?? []).flatMap((child) => [...below(child), child]);
  return [...new Set(parents.flatMap(below))].filter((pid) => !parents.includes(pid));
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return -1;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended meanwhile.
  }
}

/** The last one mounted first. */
function mountsUnder(directory: string): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point === directory || point.startsWith(`${directory}/`)).reverse();
}

function removeCgroups(name: string): void {
  const root = "/sys/fs/cgroup";
  const hierarchies = existsSync(root) ? readdirSync(root, { withFileTypes: true }) : [];
  const places = [root, ...hierarchies.filter((one) => one.isDirectory()).map((one) => `${root}/${one.name}`)];
  for (const place of places) if (existsSync(`${place}/${name}`)) removeTree(`${place}/${name}`);
}

/** The files in a cgroup's directory go with it, but its children must go first. */
function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(`${directory}/${entry.name}`);
  removeIfEmpty(directory);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not there, not empty, or somebody else's mount.
  }
}
