/** manifests/crds/ as it should be: a file for each kind. */
import { readFileSync } from "node:fs";
import { PLURALS } from "../kinds.ts";
import { writeYaml } from "../yaml.ts";
import { CUSTOM_KINDS, definitionOf } from "./definitions.ts";
import { fieldComments } from "./field-comments.ts";

const SCHEMAS = new URL("../schema/", import.meta.url);

/** Text by file name. Needs the sources: their comments are the descriptions. */
export function definitionFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const kind of CUSTOM_KINDS) {
    const source = readFileSync(new URL(`${kind.toLowerCase()}.ts`, SCHEMAS), "utf8");
    const head = `# Written by npm run build from src/config/schema/${kind.toLowerCase()}.ts: change it there.\n`;
    files.set(`${PLURALS[kind]}.yaml`, head + writeYaml(definitionOf(kind, fieldComments(source))));
  }
  const names = [...files.keys()].map((name) => `  - ${name}\n`).join("");
  const kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n${names}`;
  files.set("kustomization.yaml", kustomization);
  return files;
}
