/** `overland bgp explain PREFIX`: why a prefix is routed as it is, from who announces it to who is told of it. */
import { type AttributesView, attributesText } from "../../bgp/inspect/attributes.ts";
import type { CandidateView, Explanation } from "../../bgp/inspect/types.ts";
import { ask } from "./bgp-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { table } from "./table.ts";
import { paint, print } from "./terminal.ts";

export async function bgpExplain(prefix: string, options: OptionValues): Promise<void> {
  const answer = await ask<Explanation>(options, { path: "/v1/bgp/explain", query: { prefix } });
  if (options["output"] === "json") print(`${JSON.stringify(answer, null, 2)}\n`);
  else if (answer.prefix !== undefined) print(explanationText(answer));
  else for (const line of answer.services ?? []) print(`${line}\n`);
  if (answer.prefix === undefined) throw new Failure(`no route covers ${prefix}`);
}

export function explanationText(answer: Explanation): string {
  const { asked, prefix, candidates, exports, forwarding, decidedBy, decision } = answer;
  const lines = [prefix === asked ? asked : `${asked}: longest match ${prefix}`];
  lines.push("", `  ${candidates.length === 1 ? "1 path" : `${candidates.length} paths`}:`);
  for (const candidate of candidates) lines.push(...candidateLines(candidate));
  if (decidedBy !== undefined)
    lines.push("", `  decided by ${decidedBy}${decision === undefined ? "" : `: ${decision}`}`);
  lines.push("", `  forwarding: ${forwarding === undefined ? "nothing in the kernel from us" : forwarding.join(", ")}`);
  if (answer.kernel !== undefined) lines.push(`  kernel: ${answer.kernel}`);
  if (exports.length > 0) {
    const columns = [
      { title: "TOLD TO", cell: ({ peer }: (typeof exports)[number]) => peer },
      { title: " ", cell: ({ exported }: (typeof exports)[number]) => (exported ? paint("green", "yes") : "no") },
      { title: "WHY, AND AS WHAT", cell: exportText },
    ];
    const rows = table(columns, exports).trimEnd().split("\n");
    lines.push("", ...rows.map((row) => `  ${row}`));
  }
  const { services = [] } = answer;
  if (services.length > 0) lines.push("", "  services:", ...services.map((line) => `    ${line}`));
  return `${lines.join("\n")}\n`;
}

function candidateLines(candidate: CandidateView): string[] {
  const { peer, best, multipath, stale, pathID, problem, attributes, nextHopMetric, gateways } = candidate;
  const words = [
    ...(best ? [paint("green", "best")] : []),
    ...(multipath === true ? ["multipath"] : []),
    ...(stale === true ? ["stale"] : []),
    ...(problem === undefined ? [] : [paint("yellow", `cannot be used: ${problem}`)]),
  ];
  const from = `${peer ?? "this speaker's own"}${pathID === undefined ? "" : ` path ${pathID}`}`;
  const hop = nextHopMetric === undefined ? "" : `next hop by metric ${nextHopMetric}`;
  const way = gateways === undefined || gateways.length === 0 ? hop : `${hop}, ${gateways.join(", ")}`;
  return [
    `    ${from}${words.length === 0 ? "" : `: ${words.join(", ")}`}`,
    `      ${attributesText(attributes)}`,
    ...(way === "" ? [] : [`      ${way}`]),
  ];
}

function exportText({ why, attributes }: { why: string; attributes?: AttributesView }): string {
  return attributes === undefined ? why : `${why}: ${attributesText(attributes)}`;
}
