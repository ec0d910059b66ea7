/** `overland get`: resources as a table with Calico's columns, or whole. */

import { DEFAULTS } from "../config/cluster.ts";
import { API_VERSION, type Kind } from "../config/kinds.ts";
import type { Resource } from "../config/resource.ts";
import { getResources, listResources } from "../config/resource-store.ts";
import { writeYaml } from "../config/yaml.ts";
import { Failure } from "./failure.ts";
import { kindNamed } from "./kind-argument.ts";
import type { OptionValues } from "./options.ts";
import { columnsOf } from "./resource-columns.ts";
import { withStore } from "./session.ts";
import { table } from "./table.ts";
import { note, print } from "./terminal.ts";

export async function get(kindText: string, names: string[], options: OptionValues): Promise<void> {
  const kind = kindNamed(kindText);
  const wanted = [...new Set(names)];
  const { resources, damaged, asNumber } = await withStore(options, async (store) => {
    const read = await (wanted.length === 0 ? listResources(store, kind) : getResources(store, kind, wanted));
    // A node without an AS of its own is shown with the cluster's.
    const global =
      kind === "Node" ? (await getResources(store, "BGPConfiguration", ["default"])).resources[0] : undefined;
    const inherited = global?.kind === "BGPConfiguration" ? global.spec.asNumber : undefined;
    return { ...read, asNumber: inherited ?? DEFAULTS.asNumber };
  });
  const missing = wanted.filter((name) => !resources.some((resource) => resource.metadata.name === name));
  const single = wanted.length === 1;
  if (!(single && missing.length > 0)) print(textOf(kind, resources, options["output"], single, asNumber));
  for (const fault of damaged) note(fault);
  const absent = missing.filter((name) => !damaged.some((fault) => fault.includes(`/${name} in`)));
  const lines = absent.map((name) => `${kind} ${JSON.stringify(name)} does not exist`);
  if (lines.length > 0) throw new Failure(lines.join("\n"));
  if (damaged.length > 0) throw new Failure("not everything could be read");
}

function textOf(kind: Kind, resources: Resource[], output: unknown, single: boolean, asNumber: number): string {
  switch (output) {
    case "json":
      return `${JSON.stringify(single ? resources[0] : listOf(kind, resources), null, 2)}\n`;
    case "yaml":
      return writeYaml(single ? resources[0] : listOf(kind, resources));
    case "name":
      return resources.map(({ metadata }) => `${kind.toLowerCase()}/${metadata.name}\n`).join("");
    default:
      if (resources.length > 0) return table(columnsOf(kind, output === "wide", asNumber), resources);
      note(`there is no ${kind}`);
      return "";
  }
}

function listOf(kind: Kind, items: readonly Resource[]): unknown {
  return { apiVersion: API_VERSION, kind: `${kind}List`, items };
}
