/**
 * Where a lab keeps its files: sockets, configurations and logs under /run, what must not sit in memory under
 * /var/lib.
 */

export const RUN_ROOT = "/run/overland-lab";
export const DATA_ROOT = "/var/lib/overland-lab";
export const NETNS_ROOT = "/run/netns";

export interface LabPaths {
  readonly run: string;
  readonly data: string;
  readonly state: string;
  readonly log: string;
}

export function labPaths(name: string): LabPaths {
  const run = `${RUN_ROOT}/${name}`;
  return { run, data: `${DATA_ROOT}/${name}`, state: `${run}/state.json`, log: `${run}/log` };
}

export interface NodePaths {
  readonly directory: string;
  readonly agentConfig: string;
  readonly socket: string;
  readonly stateDir: string;
  readonly cniConfig: string;
}

export function nodePaths(lab: LabPaths, node: string): NodePaths {
  const directory = `${lab.run}/${node}`;
  return {
    directory,
    agentConfig: `${directory}/agent.yaml`,
    socket: `${directory}/agent.sock`,
    stateDir: `${lab.data}/${node}`,
    cniConfig: `${directory}/10-overland.conf`,
  };
}

export const netnsPath = (netns: string): string => `${NETNS_ROOT}/${netns}`;
