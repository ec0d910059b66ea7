/**
 * What values in the store are, read once as long as they stay the same: for each resource that is written all of its
 * kind are looked at, and an agent registers its Node and then follows all Nodes.
 */
import type { Entry } from "../../ipam/store.ts";
import { type Checked, checkStored } from "./schema/document.ts";

/** Of keys that are gone some may be left; beyond so many all are forgotten. */
const MOST = 20_000;

const READ = new Map<string, { readonly value: string; readonly checked: Checked }>();

export function readStored({ key, value }: Pick<Entry, "key" | "value">): Checked {
  const before = READ.get(key);
  if (before?.value === value) return before.checked;
  if (before === undefined && READ.size >= MOST) READ.clear();
  const checked = checkStored(value);
  READ.set(key, { value, checked });
  return checked;
}
