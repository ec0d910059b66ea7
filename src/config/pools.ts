/** IPPool resources as address management takes them. */
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import type { IPPoolResource } from "./resource.ts";

export function poolOf(resource: IPPoolResource): Pool {
  const { spec } = resource;
  return {
    name: resource.metadata.name,
    cidr: prefixOf(spec.cidr),
    blockSize: spec.blockSize,
    disabled: spec.disabled,
    nodeSelector: spec.nodeSelector,
    namespaceSelector: spec.namespaceSelector,
    allowedUses: spec.allowedUses,
    assignmentMode: spec.assignmentMode,
    natOutgoing: spec.natOutgoing,
    disableBGPExport: spec.disableBGPExport,
  };
}
