/** `overland lab exec`: a command inside one of the lab's machines. */
import { spawn } from "node:child_process";
import { inside } from "./command.ts";
import { labPaths, nodePaths } from "./paths.ts";
import { checkMachine } from "./requirements.ts";
import { etcdEnvironment } from "./resources.ts";
import { planLab } from "./topology.ts";
import { LabUsage, stateOf } from "./usage.ts";

/** Runs a command inside a node, VM, pod, router or etcd, with the terminal it was given; its exit code is ours. */
export async function execInLab(name: string, thing: string, command: readonly string[]): Promise<number> {
  const state = stateOf(name);
  checkMachine();
  const plan = planLab(state.size);
  const places = [...plan.nodes, ...plan.vms, ...plan.routers, ...state.pods, { name: "etcd", netns: plan.etcd.netns }];
  const place = places.find((one) => one.name === thing);
  if (place === undefined) {
    throw new LabUsage(
      `no ${JSON.stringify(thing)} in lab ${name}; there are ${places.map((one) => one.name).join(", ")}`,
    );
  }
  const nodeName = state.pods.find((pod) => pod.name === thing)?.node ?? thing;
  const onNode = plan.nodes.some((node) => node.name === nodeName);
  const socket = onNode ? { OVERLAND_SOCKET: nodePaths(labPaths(name), nodeName).socket } : {};
  const [file = "", ...args] = inside(place.netns, command);
  const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...etcdEnvironment(plan), ...socket } });
  // The terminal sends its signals to the command too: it decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
