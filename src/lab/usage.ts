/** Finding the lab a person means, or saying what is wrong with the words. */
import { type LabState, readState } from "./state.ts";
import { sizeFault } from "./topology.ts";

/** Wrong usage: exit code 2. */
export class LabUsage extends Error {
  readonly code = "LAB_USAGE";
}

export function checkName(name: string): void {
  const fault = sizeFault({ name, racks: 1, nodesPerRack: 1, podsPerNode: 0 });
  if (fault !== undefined) throw new LabUsage(fault);
}

export function stateOf(name: string): LabState {
  checkName(name);
  const state = readState(name);
  if (state === undefined) throw noLab(name);
  return state;
}

export const noLab = (name: string): LabUsage =>
  new LabUsage(`there is no lab ${name}: bring one up with \`${say(`up --name ${name}`)}\``);

/** How the person who reads this calls the lab: by npm or by the program's name. */
export const say = (words: string): string =>
  process.env["npm_lifecycle_event"] === undefined ? `overland lab ${words}` : `npm run lab -- ${words}`;
