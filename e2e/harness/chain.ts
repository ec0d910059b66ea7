/** A list of plugins, driven as libcni drives one: ADD is given the result before it, CHECK and DEL the last one. */
import type { NodeStatus } from "../../src/lab/status.ts";
import { type CniResult, cniEnvironment, readResult, type Sandbox } from "./cni.ts";
import { run } from "./command.ts";
import { PLUGIN_DIRECTORY } from "./program.ts";

/** Where Debian's containernetworking-plugins are. */
const REFERENCE = "/usr/lib/cni";

export interface ChainPlugin {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export class Chain {
  readonly #node: NodeStatus;
  readonly #name: string;
  readonly #plugins: readonly ChainPlugin[];
  readonly #runtime: Readonly<Record<string, unknown>>;

  /** @param runtime capability arguments: what a runtime knows of the pod (portMappings, bandwidth, …) */
  constructor(
    node: NodeStatus,
    name: string,
    plugins: readonly ChainPlugin[],
    runtime: Readonly<Record<string, unknown>> = {},
  ) {
    [this.#node, this.#name, this.#plugins, this.#runtime] = [node, name, plugins, runtime];
  }

  async add(sandbox: Sandbox): Promise<CniResult> {
    let prevResult: CniResult | undefined;
    for (const plugin of this.#plugins) prevResult = readResult(await this.#run("ADD", sandbox, plugin, prevResult));
    if (prevResult === undefined) throw new Error("a chain of no plugins");
    return prevResult;
  }

  /** What the plugins said that are not content, each with its name. */
  async check(sandbox: Sandbox, prevResult: CniResult): Promise<string[]> {
    const faults: string[] = [];
    for (const plugin of this.#plugins) {
      const { code, stdout } = await this.#run("CHECK", sandbox, plugin, prevResult);
      if (code !== 0) faults.push(`${plugin.type}: ${stdout}`);
    }
    return faults;
  }

  async del(sandbox: Sandbox, prevResult: CniResult | undefined): Promise<void> {
    for (const plugin of [...this.#plugins].reverse()) {
      const { code, stdout } = await this.#run("DEL", sandbox, plugin, prevResult);
      if (code !== 0) throw new Error(`DEL by ${plugin.type}: exit code ${code}: ${stdout}`);
    }
  }

  #run(command: string, sandbox: Sandbox, plugin: ChainPlugin, prevResult: CniResult | undefined) {
    const { capabilities = {}, ...rest } = plugin;
    const declared = Object.entries(this.#runtime).filter(([name]) => capabilities[name] === true);
    const config = {
      ...{ cniVersion: "1.0.0", name: this.#name, ...rest },
      ...(declared.length === 0 ? {} : { runtimeConfig: Object.fromEntries(declared) }),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
    const variables = {
      ...cniEnvironment(command, sandbox, { CNI_PATH: `${PLUGIN_DIRECTORY}:${REFERENCE}` }),
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    };
    const file = plugin.type.startsWith("overland")
      ? `${PLUGIN_DIRECTORY}/${plugin.type}`
      : `${REFERENCE}/${plugin.type}`;
    const words = ["env", "-i", ...Object.entries(variables).map(([name, value]) => `${name}=${value}`), file];
    return run(words, { netns: this.#node.netns, input: JSON.stringify(config), timeoutMs: 30_000 });
  }
}
