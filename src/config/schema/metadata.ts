/** The metadata of a resource. What a store or Kubernetes writes there itself is taken and forgotten. */
import { z } from "zod";
import { name, text } from "./fields.ts";
import { type Problem, shown } from "./problem.ts";

const ours = z.unknown().exactOptional();

export const metadataSchema = z.strictObject({
  name,
  labels: z.record(z.string(), text(labelValueFault)).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  uid: ours,
  creationTimestamp: ours,
  resourceVersion: ours,
  generation: ours,
  managedFields: ours,
  ownerReferences: ours,
  finalizers: ours,
  selfLink: ours,
});

function labelValueFault(value: string): string | undefined {
  if (value.length <= 63 && /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(value)) return undefined;
  const wanted = 'up to 63 letters, digits, "-", "_" and ".", a letter or digit at both ends';
  return `${shown(value)} is not a label value: ${wanted}`;
}

const KEY = 'an optional DNS name and "/", then up to 63 letters, digits, "-", "_", "."';

/** Label and annotation keys: an optional DNS prefix and a name. */
export function metadataRules(metadata: Readonly<Record<string, unknown>>): Problem[] {
  return ["labels", "annotations"].flatMap((field) => {
    const map = metadata[field];
    if (typeof map !== "object" || map === null) return [];
    return Object.keys(map)
      .filter(
        (key) => !/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(key),
      )
      .map((key) => ({
        path: ["metadata", field, key],
        message: `${shown(key)} is not a key: ${KEY}`,
      }));
  });
}
