/**
 * The words of the command line and nothing else: what a command does is loaded when it runs, so that help, version and
 * mistakes answer at once.
 */
import { Command, Option } from "commander";
import { CONTROLLER_HTTP, KUBERNETES_SETTINGS, SETTINGS } from "../config/agent-settings.ts";
import { addBgp } from "./bgp-commands.ts";
import { outputOption, withConfigOption, withEtcdOptions, withSettings, withSocketOption } from "./options.ts";
import { version } from "./version.ts";

/** `first` is the first word of the command line: only the command it names is loaded. */
export async function overlandProgram(first: string | undefined): Promise<Command> {
  const program = new Command("overland")
    .description("Pod networking for bare-metal Kubernetes by plain routing")
    .version(`overland ${version()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    // Options behind a command are the command's: `overland lab exec vm1 -- ping -V` is ping's.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("(--help tells more)");
  const daemons = [addAgent, addController, addSpeaker];
  const parts = [...daemons, addResources, addNode, addServices, addBgp, addIpam, addCluster, addInstall];
  for (const add of parts) add(program);
  await addLab(program, first === "lab");
  addVersion(program);
  return program;
}

const BOOLEANS = ["true", "false"];
const FILES = "-f, --filename <FILE...>";
const FORCE = "also what Kubernetes manages: for when no controller looks after it any more";

function addResources(program: Command): void {
  withEtcdOptions(program.command("apply"))
    .summary("create or change resources from files")
    .description("Create or change resources from files, all of them or none.")
    .requiredOption(FILES, "files or directories of resources; - reads standard input")
    .option("--force", FORCE)
    .addOption(outputOption(["name"]))
    .action(async (options) => (await import("./manifests.ts")).apply(options));
  withEtcdOptions(program.command("get <KIND> [NAME...]"))
    .summary("show resources")
    .description("Show resources: ippool (pool), bgpconfiguration (bgpconfig), bgppeer (bgpp), node.")
    .addOption(outputOption(["yaml", "json", "wide", "name"]))
    .action(async (kind, names, options) => (await import("./get.ts")).get(kind, names, options));
  withEtcdOptions(program.command("delete [KIND] [NAME...]"))
    .summary("delete resources")
    .description("Delete resources by kind and name, or those that files name; all of them or none.")
    .option(FILES, "files or directories of resources; - reads standard input")
    .option("--ignore-not-found", "a resource that does not exist is no fault")
    .option("--force", FORCE)
    .addOption(outputOption(["name"]))
    .action(async (kind, names, options) => (await import("./manifests.ts")).remove(kind, names, options));
  program
    .command("validate")
    .summary("check files of resources without a cluster")
    .description("Check files of resources, without a cluster. What resources are together is only known when applied.")
    .requiredOption(FILES, "files or directories of resources; - reads standard input")
    .action(async (options) => (await import("./manifests.ts")).validate(options));
}

function addServices(program: Command): void {
  withSocketOption(program.command("services [SERVICE]"))
    .summary("show which addresses of services this node announces, and why")
    .description(
      "Show which addresses of services this node announces, and why or why not: all, or those of a service.",
    )
    .addOption(outputOption(["json"]))
    .action(async (of, options) => (await import("./services.ts")).services(of, options));
}

function addInstall(program: Command): void {
  const withHost = (command: Command) =>
    command
      .option("--bin-dir <DIR>", "where the container runtime looks for plugins", "/opt/cni/bin")
      .option("--conf-dir <DIR>", "where it looks for networks", "/etc/cni/net.d");
  withHost(program.command("install-cni"))
    .summary("put the CNI plugin and its network list on this host")
    .description("Put the CNI plugin and its network list on this host, each file whole or not at all.")
    .option("--template <FILE>", "the network list; plugins in it that the host does not have are left out")
    .option("--plugin <FILE>", "the plugin, if not the one built with this program")
    .option("--no-list", "only the plugin: the agent writes the list when it is ready (cni.confDir)")
    .action(async (options) => (await import("./install-cni.ts")).installCni(options));
  withHost(program.command("uninstall-cni"))
    .summary("remove from this host what install-cni and the agent put there")
    .description("Remove the network list, and the plugin unless pods need it to be taken down.")
    .option("--run-dir <DIR>", "where the agent's socket is, and beside it which pods are wired", "/run/overland")
    .option("--force", "the plugin too, while pods are wired")
    .action(async (options) => (await import("./install-cni.ts")).uninstallCni(options));
}

function addNode(program: Command): void {
  const node = program.command("node").description("look at this node, take it from the network and back");
  withSocketOption(node.command("status"))
    .description("Show the BGP sessions of this node's agent.")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./node-status.ts")).nodeStatus(options));
  withSocketOption(node.command("drain [NODE]"))
    .summary("take this node from the network without losing what can go elsewhere")
    .description(
      "Take this node from the network: peers are asked to prefer other ways (RFC 8326), addresses of services are " +
        "withdrawn, then, once its pods are gone, everything; then the sessions are shut down. Waits for all of it.",
    )
    .option("--message <TEXT>", "words for the peers (RFC 9003)")
    .option("--prefer-others <DURATION>", "how long peers get to take other ways (default: 10s)")
    .option("--pods <DURATION>", "how long pods get to leave before they are cut off (default: 60s)")
    .option("--no-wait", "only ask for it")
    .addOption(outputOption(["json"]))
    .addHelpText("after", "\nExit code: 0 done, 1 it was not or cannot be told, 2 asked wrongly.")
    .action(async (name, options) => (await import("./node-drain.ts")).drainNode(name, options));
  withSocketOption(node.command("undrain [NODE]"))
    .description("Take this node back into the network. A restart of its agent does so, too.")
    .addOption(outputOption(["json"]))
    .action(async (name, options) => (await import("./node-drain.ts")).undrainNode(name, options));
}

function addAgent(program: Command): void {
  withConfigOption(withSettings(program.command("agent"), SETTINGS))
    .summary("run this node's agent")
    .description(
      "Run this node's agent: BGP, addresses, pod wiring. Flags win over the environment, that over the file.",
    )
    .action(async (options) => (await import("./agent.ts")).runAgent(options));
}

function addController(program: Command): void {
  withSettings(withEtcdOptions(program.command("controller")), KUBERNETES_SETTINGS)
    .summary("run the cluster's controller: one is active, others wait")
    .description(
      "Run the cluster's controller: it brings custom resources of Kubernetes to etcd, and takes back what nodes " +
        "hold that are gone. Of several that run one is active, the others wait.",
    )
    .option("--grace <DURATION>", "how long a Node must be gone", "5m")
    .option("--interval <DURATION>", "between two looks", "60s")
    .addOption(
      new Option("--http <ADDRESS:PORT>", `health and metrics, or "off" (default: ${CONTROLLER_HTTP})`).env(
        "OVERLAND_CONTROLLER_HTTP",
      ),
    )
    .addOption(
      new Option("--log-level <LEVEL>", "how much to log").choices(["debug", "info", "warn", "error"]).default("info"),
    )
    .option("--once", "look, wait for the grace time, look again, act, and report")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./controller.ts")).runController(options));
}

function addCluster(program: Command): void {
  withEtcdOptions(program.command("cluster"))
    .summary("which Kubernetes cluster etcd belongs to")
    .description(
      "Show which Kubernetes cluster etcd belongs to: agents and controllers of another one refuse to use it.",
    )
    .option("--forget", "let the next one to come have it: after the API server was built anew")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./cluster.ts")).showCluster(options));
}

function addSpeaker(program: Command): void {
  program
    .command("speaker")
    .summary("run a BGP speaker alone")
    .description("Run a BGP speaker alone, without a cluster: route reflector, route server, lab router.")
    .requiredOption("-c, --config <FILE>", "its configuration; read again on SIGHUP")
    .option("--check", "only check the configuration")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./speaker.ts")).runSpeaker(options));
}

function addIpam(program: Command): void {
  const ipam = program.command("ipam").description("look at addresses, who has which, and put their records right");
  withEtcdOptions(ipam.command("show"))
    .summary("how full the pools are, or who has an address")
    .description("Show how full the pools are, who borrowed which address, or who has one.")
    .option("--show-blocks", "the blocks of each pool, with their nodes")
    .option("--show-borrowed", "addresses that nodes took from the blocks of others")
    .option("--ip <ADDRESS>", "who has this address, or why nobody has")
    .option("--show-configuration", "the IPAMConfiguration in force")
    .addOption(outputOption(["json", "yaml"]))
    .action(async (options) => (await import("./ipam-show.ts")).ipamShow(options));
  withEtcdOptions(ipam.command("configure"))
    .description("Change how addresses are given out: the IPAMConfiguration.")
    .addOption(new Option("--strictaffinity <BOOL>", "true: nothing is borrowed from other nodes").choices(BOOLEANS))
    .option("--max-blocks-per-host <N>", "the most blocks of each family that a node claims; 0: no limit")
    .option("--ip-cooldown-seconds <N>", "how long a released address rests")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./ipam-configure.ts")).ipamConfigure(options));
  withEtcdOptions(ipam.command("check"))
    .summary("do the records of addresses agree")
    .description("Check that the records of addresses agree, with one another and with pools and nodes.")
    .option("--output-report <FILE>", "write what was found, for `overland ipam release --from-report`")
    .addOption(outputOption(["json"]))
    .addHelpText("after", "\nExit code: 0 nothing found, 1 something is wrong, 2 it could not be checked.")
    .action(async (options) => (await import("./ipam-check.ts")).ipamCheck(options));
  withEtcdOptions(ipam.command("release"))
    .summary("free addresses that are leaked")
    .description(
      "Free addresses that are leaked. What changed since it was looked at stays; so does what may be in use: an " +
        "address whose node exists is only freed with --force.",
    )
    .option("--ip <ADDRESS,...>", "these addresses", commaSeparated)
    .option("--from-report <FILE>", "all that a report of `overland ipam check` calls leaked")
    .option("--dry-run", "only say what would be done")
    .option("--force", "also where the owner may be alive: then look at its node first")
    .addOption(outputOption(["json"]))
    .addHelpText("after", "\nExit code: 0 done, or nothing to do; 1 something was refused, and why is said.")
    .action(async (options) => (await import("./ipam-release.ts")).ipamRelease(options));
  withEtcdOptions(ipam.command("split <NUMBER>"))
    .summary("split a pool into smaller ones")
    .description("Split a pool into NUMBER pools of equal size: 2, 4, 8, … 64. Addresses and blocks stay as they are.")
    .option("--name <POOL>", "the pool, by its name")
    .option("--cidr <CIDR>", "the pool, by its range")
    .option("--dry-run", "only say what would be done")
    .addOption(outputOption(["json", "yaml"]))
    .action(async (number, options) => (await import("./ipam-split.ts")).ipamSplit(number, options));
}

/** `--ip A,B --ip C`; the first time there is nothing before. */
function commaSeparated(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(",")];
}

async function addLab(program: Command, wanted: boolean): Promise<void> {
  if (wanted) program.addCommand((await import("./lab.ts")).labCommand());
  else program.command("lab").description("racks, ToR routers, VMs, nodes and pods on this machine, every part real");
}

function addVersion(program: Command): void {
  program
    .command("version")
    .description("print the version")
    .action(() => void process.stdout.write(`overland ${version()} (Node.js ${process.version})\n`));
}
