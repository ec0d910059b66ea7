/** `overland install-cni` and `overland uninstall-cni`: the host's container runtime, and ours on it. */
import { readFileSync } from "node:fs";
import { builtPlugin, type Done, installList, installPlugin, uninstall, wiredPods } from "../install/install.ts";
import { USUAL_TEMPLATE } from "../install/network-list.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { note, print } from "./terminal.ts";

export function installCni(options: OptionValues): void {
  const { binDir, confDir, template, plugin, list } = options as Readonly<Record<string, string | undefined>>;
  said(() => {
    const text = template === undefined ? USUAL_TEMPLATE : readFileSync(template, "utf8");
    report(installPlugin(plugin ?? builtPlugin(), binDir as string));
    // Of commander's `--no-list`.
    if ((list as unknown) === false) return;
    const done = installList(text, confDir as string, binDir as string);
    report([done]);
    for (const type of done.absent) note(`note: ${binDir}/${type} is not there: left out of the network list`);
    if (done.before.length === 0) return;
    note(`warning: ${done.before.join(", ")} in ${confDir} comes first, and the runtime uses that: remove it`);
  });
}

export function uninstallCni(options: OptionValues): void {
  const { binDir, confDir, runDir } = options as Readonly<Record<string, string>>;
  said(() => {
    const wired = options["force"] === true ? 0 : wiredPods(runDir as string);
    const done = uninstall(confDir as string, binDir as string, wired);
    report(done);
    if (done.some(({ done: what }) => what === "left")) {
      throw new Failure(wired > 0 ? "drain the node and repeat, or say --force" : "not everything was removed");
    }
  });
}

function report(done: readonly Done[]): void {
  for (const { path, done: what, why } of done)
    print(why === undefined ? `${path} ${what}` : `${path} ${what}: ${why}`);
}

/** Whatever fails here is the host's to put right, and said in a line. */
function said(act: () => void): void {
  try {
    act();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure((error as Error).message);
  }
}
