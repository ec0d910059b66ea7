// Writes manifests/crds/ from the schemas; says which files changed.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { definitionFiles } from "../config/crd/files.ts";
import { ROOT } from "./root.mjs";

const folder = `${ROOT}/manifests/crds`;
mkdirSync(folder, { recursive: true });
for (const [name, text] of definitionFiles()) {
  const path = `${folder}/${name}`;
  let before;
  try {
    before = readFileSync(path, "utf8");
  } catch {
    // Not there yet.
  }
  if (before === text) continue;
  writeFileSync(path, text);
  console.log(`wrote manifests/crds/${name}`);
}
