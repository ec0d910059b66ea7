/** The lab stays up and is watched: a table redrawn each second on a terminal, until a person ends it. */
import { type Lab, labName } from "./lab.ts";
import { readState } from "./state.ts";
import { type LabStatus, labStatus } from "./status.ts";
import { statusTable } from "./table.ts";
import { say } from "./usage.ts";
import { pause } from "./wait.ts";

const CLEAR_BELOW = "\u001b[J";
const NO_WRAP = "\u001b[?7l";
const WRAP = "\u001b[?7h";

/** Returns "interrupted", or "gone" when somebody else took the lab down meanwhile. */
export async function stayAndWatch(lab: Lab): Promise<"interrupted" | "gone"> {
  const { progress, signal } = lab;
  const name = labName(lab);
  progress.act("The lab stays up; Ctrl-C removes it");
  const pod = readState(name)?.pods[0]?.addresses[0];
  if (pod !== undefined) progress.say("try", say(`exec --name ${name} vm1 -- ping -c 3 ${pod}`));
  const tty = process.stdout.isTTY;
  let drawn = 0;
  while (!signal.aborted) {
    const status = await labStatus(name);
    if (status === undefined) return "gone";
    if (tty) drawn = redraw(status, drawn);
    await pause(1000, signal);
  }
  return "interrupted";
}

/** Over the table drawn before, so the events above stay readable. A table taller than the screen is cut. */
function redraw(status: LabStatus, drawn: number): number {
  const room = Math.max(5, (process.stdout.rows ?? 24) - 1);
  const lines = [
    "",
    ...statusTable(status),
    "",
    `${new Date().toLocaleTimeString()}  ${status.pods.length} pods`,
  ].slice(0, room);
  const up = drawn > 0 ? `\u001b[${drawn}A` : "";
  process.stdout.write(`${up}\r${CLEAR_BELOW}${NO_WRAP}${lines.join("\n")}\n${WRAP}`);
  return lines.length;
}
