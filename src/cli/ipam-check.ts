/** `overland ipam check`: do the records of address management agree, with one another and with pools and nodes? */
import { audit } from "../../ipam/audit.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { strayBlocks } from "../../ipam/usage.ts";
import { listResources } from "../config/resource-store.ts";
import { type IpamRecords, readIpam } from "./ipam-records.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { counted, print } from "./terminal.ts";

export async function ipamCheck(options: OptionValues): Promise<void> {
  const [records, nodes] = await withStore(options, async (store) => {
    const read = await readIpam(store);
    const { resources } = await listResources(store, "Node");
    return [read, new Set(resources.map(({ metadata }) => metadata.name))] as const;
  });
  const findings = findingsOf(records, nodes);
  const inUse = records.blocks.reduce((sum, block) => sum + block.allocations.size, 0);
  const counts = {
    pools: records.pools.length,
    nodes: nodes.size,
    blocks: records.blocks.length,
    handles: records.handles.size,
    addressesInUse: inUse,
  };
  process.exitCode = findings.length === 0 ? 0 : 1;
  if (options["output"] === "json") return print(`${JSON.stringify({ ...counts, findings }, null, 2)}\n`);
  const checked = [
    counted(counts.pools, "pool"),
    counted(counts.nodes, "node"),
    counted(counts.blocks, "block"),
    counted(counts.handles, "handle"),
  ];
  print(`Checked ${checked.join(", ")}; addresses in use: ${inUse}.`);
  for (const finding of findings) print(`  ${finding}`);
  print(findings.length === 0 ? "No problem was found." : `Problems found: ${findings.length}`);
}

function findingsOf(records: IpamRecords, nodes: ReadonlySet<string>): string[] {
  const { pools, blocks, entries, damaged } = records;
  const findings = [...damaged, ...audit(entries)];
  for (const block of strayBlocks(pools, blocks)) {
    const used = block.allocations.size;
    if (used > 0) findings.push(`block ${formatPrefix(block.cidr)}: ${used} in use, and it is in no pool`);
  }
  for (const { cidr, node, allocations } of blocks) {
    if (nodes.has(node)) continue;
    findings.push(
      `block ${formatPrefix(cidr)}: owned by node ${node}, which does not exist; ${allocations.size} in use`,
    );
  }
  return findings;
}
