/** What the log says of a watch: that it is lost and why, each reason once, and that it is back. */
import type { Log } from "../telemetry/log.ts";

export function healthInLog(log: Log, what: string): (problem: string | undefined) => void {
  let last: string | undefined;
  return (problem) => {
    if (problem !== undefined && problem !== last) {
      log.warn(`${what} cannot be followed; what is known of them stays in force`, { problem });
    }
    if (problem === undefined && last !== undefined) log.info(`${what} are followed again`);
    last = problem;
  };
}
