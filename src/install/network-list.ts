/** The network configuration for the container runtime: which plugins make a pod's network, in which order. */

/** `10-`: before what others install as 20 and later. A runtime takes the file whose name comes first. */
export const NETWORK_LIST = "10-overland.conflist";

/** Version 1.0.0: containerd 1.6 refuses 1.1.0. */
export const USUAL_TEMPLATE = `${JSON.stringify(
  {
    cniVersion: "1.0.0",
    name: "overland",
    plugins: [
      { type: "overland" },
      { type: "bandwidth", capabilities: { bandwidth: true } },
      { type: "portmap", capabilities: { portMappings: true }, snat: true },
    ],
  },
  undefined,
  2,
)}\n`;

const VERSIONS = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];

export interface NetworkList {
  readonly text: string;
  /** Plugins of the template that this node does not have: left out, since a runtime would start no pod at all. */
  readonly absent: readonly string[];
}

/** `has` tells whether the node has a plugin. Throws with the field and what to do. */
export function networkList(template: string, has: (type: string) => boolean): NetworkList {
  const list = readTemplate(template);
  const absent = list.plugins.filter(({ type }) => type !== "overland" && !has(type)).map(({ type }) => type);
  const plugins = list.plugins.filter(({ type }) => !absent.includes(type));
  return { text: `${JSON.stringify({ ...list, plugins }, undefined, 2)}\n`, absent };
}

interface Template {
  readonly plugins: readonly { readonly type: string }[];
}

function readTemplate(text: string): Template {
  const list = parsed(text);
  if (!isMap(list)) throw new Error("the network list's template is no JSON object");
  const { cniVersion, name, plugins } = list;
  if (typeof cniVersion !== "string" || !VERSIONS.includes(cniVersion)) {
    throw new Error(`cniVersion: ${JSON.stringify(cniVersion)} is not one of ${VERSIONS.join(", ")}`);
  }
  if (typeof name !== "string" || name === "") throw new Error("name: is required, such as overland");
  if (!Array.isArray(plugins) || !plugins.every((plugin) => isMap(plugin) && typeof plugin["type"] === "string")) {
    throw new Error("plugins: has to be a list of plugins, each with its type");
  }
  const types = plugins.map((plugin) => (plugin as { type: string }).type);
  if (!types.includes("overland")) throw new Error("plugins: none has the type overland; add one");
  const unsafe = types.find((type) => !/^[\w.-]+$/.test(type));
  if (unsafe !== undefined) throw new Error(`plugins: ${JSON.stringify(unsafe)} is not the name of a file`);
  return list as unknown as Template;
}

/** Whether a file of the runtime's is a network of ours. */
export function isOurs(text: string): boolean {
  try {
    readTemplate(text);
    return true;
  } catch {
    return false;
  }
}

/** Other networks that the runtime would take before ours: it takes the first, and knows these endings. */
export function namesBefore(names: readonly string[]): string[] {
  return names.filter((name) => /\.(conf|conflist|json)$/.test(name) && name < NETWORK_LIST).sort();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`the network list's template is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
