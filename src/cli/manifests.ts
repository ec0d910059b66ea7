/** The commands that read resource files: apply, validate and delete -f. */

import { faultsBetween } from "../config/cross-rules.ts";
import type { Fault } from "../config/fault.ts";
import type { Writer } from "../config/managed.ts";
import { faultText, type Manifests } from "../config/manifest.ts";
import { readManifestFiles } from "../config/manifest-files.ts";
import { applyResources, deleteResources, type Outcome, type ResourceRef } from "../config/resource-store.ts";
import { Failure } from "./failure.ts";
import { kindNamed } from "./kind-argument.ts";
import { whatNodesLeave } from "./node-leaves.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { counted, note, print } from "./terminal.ts";

export async function apply(options: OptionValues): Promise<void> {
  const { sourced } = readOrFail(options["filename"] as string[], "nothing was applied");
  const applied = await withStore(options, (store) => applyResources(store, sourced, writerOf(options)));
  if ("faults" in applied) throw faultsFailure(applied.faults, "nothing was applied");
  printOutcomes(applied.outcomes, options["output"]);
}

export function validate(options: OptionValues): void {
  const { resources, sourced } = readOrFail(options["filename"] as string[], undefined);
  const faults = faultsBetween(sourced, [], []);
  if (faults.length > 0) throw faultsFailure(faults, undefined);
  print(`${counted(resources.length, "resource")} checked, no fault`);
}

/** `KIND NAME...`, or the resources named in files. */
export async function remove(kind: string | undefined, names: string[], options: OptionValues): Promise<void> {
  const files = options["filename"] as string[] | undefined;
  const refs = files === undefined ? refsOf(kind, names) : refsInFiles(files, kind);
  const deleted = await withStore(options, async (store) => {
    const done = await deleteResources(store, refs, writerOf(options));
    if (options["ignoreNotFound"] !== true || "outcomes" in done) return done;
    const present = refs.filter(({ kind: k, name }) => !done.refusals.includes(`${k} ${name} does not exist`));
    return present.length === refs.length ? done : await deleteResources(store, present, writerOf(options));
  });
  if ("refusals" in deleted) throw new Failure([...deleted.refusals, "nothing was deleted"].join("\n"));
  printOutcomes(deleted.outcomes, options["output"]);
  const nodes = deleted.outcomes.flatMap(({ kind: k, name }) => (k === "Node" ? [name] : []));
  if (nodes.length > 0)
    for (const line of await withStore(options, (store) => whatNodesLeave(store, nodes))) note(line);
}

function writerOf(options: OptionValues): Writer {
  return options["force"] === true ? "insisting" : "operator";
}

function refsOf(kind: string | undefined, names: readonly string[]): ResourceRef[] {
  if (kind === undefined || names.length === 0) throw new Failure("say what to delete: KIND NAME, or -f FILE", 2);
  const known = kindNamed(kind);
  return [...new Set(names)].map((name) => ({ kind: known, name }));
}

function refsInFiles(files: readonly string[], kind: string | undefined): ResourceRef[] {
  if (kind !== undefined) throw new Failure("give KIND NAME or -f FILE, not both", 2);
  return readOrFail(files, "nothing was deleted").resources.map(({ kind: k, metadata }) => ({
    kind: k,
    name: metadata.name,
  }));
}

function readOrFail(files: readonly string[], consequence: string | undefined): Manifests {
  const read = readManifestFiles(files);
  if (read.faults.length > 0) throw faultsFailure(read.faults, consequence);
  return read;
}

function faultsFailure(faults: readonly Fault[], consequence: string | undefined): Failure {
  const count = counted(faults.length, "fault");
  const lines = faults.map(faultText);
  return new Failure([...lines, consequence === undefined ? count : `${count}; ${consequence}`].join("\n"));
}

function printOutcomes(outcomes: readonly Outcome[], output: unknown): void {
  const named = (outcome: Outcome) => `${outcome.kind.toLowerCase()}/${outcome.name}`;
  for (const outcome of outcomes) print(output === "name" ? named(outcome) : `${named(outcome)} ${outcome.outcome}`);
  if (outcomes.length === 0) note("there was nothing to do");
}
