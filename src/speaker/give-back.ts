/**
 * Gives memory back to the system when a burst is over.
 *
 * V8 collects garbage as it is made. Once sessions are up and tables are in, hardly any is, so a process would hold
 * what the burst took for as long as nothing happens: a third of it for 500 idle sessions. What is freed outside of
 * V8's heap, by its compiler above all, stays with malloc unless that is told to give it back.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { trimMalloc } from "../kernel/ffi.ts";

/** Looked at so often; a collection takes some 30 ms, so only where there was hardly anything to do since. */
const LOOK_MS = 5_000;
const QUIET_SHARE = 0.05;
/** Worth it: the process has grown by so much; and not again at once. */
const SPARE_OCTETS = 8 * 1024 * 1024;
const REST_MS = 60_000;

type Collect = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/** Blocks for some 30 ms. */
function giveBack(): void {
  collect ??= collector();
  collect({ type: "major", flavor: "last-resort" });
  trimMalloc();
}

let collect: Collect | undefined;

/** The function that `node --expose-gc` would have given from the start. */
function collector(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}

/** Returns how to stop. */
export function giveBackWhenQuiet(): () => void {
  let before = process.cpuUsage();
  /** What was left after the last time: another one would find no less. */
  let least = 0;
  let last = Number.NEGATIVE_INFINITY;
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    if ((user + system) / 1000 > LOOK_MS * QUIET_SHARE) return;
    if (performance.now() - last < REST_MS || process.memoryUsage.rss() - least < SPARE_OCTETS) return;
    giveBack();
    least = process.memoryUsage.rss();
    last = performance.now();
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => clearInterval(timer);
}
