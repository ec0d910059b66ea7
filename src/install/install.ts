/**
 * Overland on a host's container runtime: the plugin's two names in bin_dir, and the network list in conf_dir.
 *
 * The plugin may be replaced while runtimes execute it: what they execute stays the old file until they end.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isOurs, NETWORK_LIST, type NetworkList, namesBefore, networkList } from "./network-list.ts";
import { contentOf, HostFileError, type Replaced, removeFile, replaceFile } from "./replace-file.ts";

/** The second is the same file: the address delegate of other main plugins. */
const NAMES = ["overland", "overland-ipam"];
/** What every build of the plugin holds and nothing else does. */
const MARK = "application/x-overland-cni";

export interface Done {
  readonly path: string;
  readonly done: Replaced | "removed" | "was not there" | "left";
  /** With "left": why. */
  readonly why?: string;
}

/** The plugin that was built with this program. */
export function builtPlugin(): string {
  // src/install/ in the sources, dist/src/install/ when built.
  for (const path of ["../../dist/cni/overland", "../../cni/overland"]) {
    const url = new URL(path, import.meta.url);
    if (existsSync(url)) return url.pathname;
  }
  throw new Error("the CNI plugin is not built; run npm run build");
}

export function installPlugin(plugin: string, binDir: string): Done[] {
  const content = readFileSync(plugin);
  return NAMES.map((name) => ({ path: join(binDir, name), done: replaceFile(join(binDir, name), content, 0o755) }));
}

export interface ListInstalled extends Done, NetworkList {
  /** Files that the runtime takes before ours. */
  readonly before: readonly string[];
}

/** Throws an Error or a HostFileError with words for the operator. */
export function installList(template: string, confDir: string, binDir: string): ListInstalled {
  const list = networkList(template, (type) => existsSync(join(binDir, type)));
  const path = join(confDir, NETWORK_LIST);
  const present = contentOf(path)?.toString();
  if (present !== undefined && !isOurs(present)) {
    throw new Error(`${path}: is a network of somebody else's, without the plugin overland; remove it`);
  }
  const done = replaceFile(path, list.text, 0o644);
  return { ...list, path, done, before: namesBefore(readdirSync(confDir)) };
}

/**
 * The list first: without it no new pod comes. The plugin only when no pod is wired, since without it none can be
 * taken down.
 */
export function uninstall(confDir: string, binDir: string, wired: number): Done[] {
  const list = join(confDir, NETWORK_LIST);
  const present = contentOf(list)?.toString();
  const foreign = present !== undefined && !isOurs(present);
  return [
    foreign ? left(list, "it is no network of ours") : removed(list),
    ...NAMES.map((name) => join(binDir, name)).map((path) => {
      if (wired > 0) return left(path, `${wired} pods are wired here and need it to be taken down`);
      const content = contentOf(path);
      return content !== undefined && !content.includes(MARK) ? left(path, "it is another program") : removed(path);
    }),
  ];
}

function removed(path: string): Done {
  return { path, done: removeFile(path) ? "removed" : "was not there" };
}

function left(path: string, why: string): Done {
  return { path, done: "left", why };
}

/** Pods wired on this host, by the directory of the agent's socket. */
export function wiredPods(runDir: string): number {
  try {
    return readdirSync(join(runDir, "attachments")).filter((name) => name.endsWith(".json")).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw new HostFileError(runDir, error);
  }
}
