/** `overland lab …`: the main job on real parts, on one machine. */
import { Command } from "commander";
import { execInLab } from "../lab/exec.ts";
import { podAdd, podDelete } from "../lab/pod-commands.ts";
import { downLab, runLab, upLab } from "../lab/run.ts";
import { labStatus } from "../lab/status.ts";
import { podTable, statusTable } from "../lab/table.ts";
import type { LabSize } from "../lab/topology.ts";
import { checkName, LabUsage, noLab } from "../lab/usage.ts";

/** Errors that mean "wrong usage, or a machine not fit": exit code 2. */
const USAGE_CODES = new Set(["LAB_USAGE", "LAB_EXISTS", "LAB_BUSY", "MACHINE_UNFIT"]);

interface SizeOptions {
  readonly name: string;
  readonly racks: number;
  readonly nodes: number;
  readonly pods: number;
  readonly kubernetes?: boolean;
  readonly verbose?: boolean;
}

export function labCommand(): Command {
  const lab = new Command("lab").description(
    "racks, ToR routers, VMs, nodes and pods on this machine, every part real",
  );
  // `exec`: options behind the command belong to it.
  lab.enablePositionalOptions();
  sized(lab.command("run"))
    .description("bring a lab up, prove that it works, kill an agent, cut a cable; then stay until Ctrl-C")
    .option("--once", "remove everything when done; exit 0 only if every proof held")
    .option("--keep", "leave the lab up and return")
    .action((options: SizeOptions & { once?: boolean; keep?: boolean }) =>
      ending(() => {
        if (options.once && options.keep) throw new LabUsage("--once removes the lab, --keep leaves it: choose one");
        const stay = options.once ? "once" : options.keep ? "keep" : "watch";
        return runLab(sizeOf(options), { stay, verbose: options.verbose === true });
      }),
    );
  sized(lab.command("up"))
    .description("bring a lab up and leave it")
    .action((options: SizeOptions) => ending(() => upLab(sizeOf(options), options.verbose === true)));
  named(lab.command("down"))
    .description("remove a lab: finished, half-built or crashed")
    .action(({ name }: { name: string }) => ending(async () => printed(await downLab(name))));
  named(lab.command("status"))
    .description("what the lab consists of and how it is doing")
    .option("-o, --output <format>", "json")
    .action((options: { name: string; output?: string }) => ending(() => printStatus(options.name, options.output)));
  addPodCommands(lab);
  addExec(lab);
  return lab;
}

function addPodCommands(lab: Command): void {
  const pod = lab.command("pod").description("pods, made by executing the real CNI plugin");
  named(pod.command("add <node> [pod]"))
    .description("add a pod to a node")
    .action((node: string, podName: string | undefined, { name }: { name: string }) =>
      ending(async () => printed(await podAdd(name, node, podName))),
    );
  named(pod.command("del <pod>"))
    .description("delete a pod")
    .action((podName: string, { name }: { name: string }) =>
      ending(async () => printed(await podDelete(name, podName))),
    );
}

function addExec(lab: Command): void {
  named(lab.command("exec <thing> <command...>"))
    .description("run a command inside a node, VM, pod or router: exec vm1 -- ping 10.244.0.1")
    .passThroughOptions()
    .action((thing: string, command: string[], { name }: { name: string }) =>
      // The "--" that ends our own options arrives as well.
      ending(() => execInLab(name, thing, command[0] === "--" ? command.slice(1) : command)),
    );
}

async function printStatus(name: string, output: string | undefined): Promise<number> {
  if (output !== undefined && output !== "json") throw new LabUsage(`-o ${output}: only json is known here`);
  checkName(name);
  const status = await labStatus(name);
  if (status === undefined) throw noLab(name);
  if (output === "json") return printed(JSON.stringify(status, null, 2));
  return printed([...statusTable(status), "", ...podTable(status)].join("\n"));
}

const named = (command: Command): Command => command.option("--name <name>", "the lab's name", "lab");

const sized = (command: Command): Command =>
  named(command)
    .option("--racks <number>", "racks, 1 to 9; odd ones have a BIRD router, even ones FRR", Number, 2)
    .option("--nodes <number>", "nodes in each rack, 1 to 20", Number, 2)
    .option("--pods <number>", "pods on each node, 0 to 50", Number, 2)
    .option("--kubernetes", "with an API server, from which nodes, pods and resources come, and a controller")
    .option("-v, --verbose", "tell more");

const sizeOf = (options: SizeOptions): LabSize => ({
  name: options.name,
  racks: options.racks,
  nodesPerRack: options.nodes,
  podsPerNode: options.pods,
  ...(options.kubernetes === true && { kubernetes: true }),
});

function printed(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

/** One sentence for what a person can put right, exit code 2; what failed otherwise is 1. */
async function ending(work: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    process.stderr.write(`overland lab: ${message}\n`);
    process.exitCode = USAGE_CODES.has(code ?? "") ? 2 : 1;
  }
}
