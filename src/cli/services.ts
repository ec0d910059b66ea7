/** `overland services [SERVICE]`: which addresses of services this node announces, and why, or why not. */
import { ask } from "./bgp-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { type Column, table } from "./table.ts";
import { paint, print } from "./terminal.ts";

interface Answer {
  readonly problems: readonly string[];
  readonly services: readonly ServiceAnswer[];
}

interface ServiceAnswer {
  readonly service: string;
  readonly nothing?: string;
  readonly communities: readonly string[];
  readonly addresses: readonly {
    readonly address: string;
    readonly announced: boolean;
    readonly within?: string;
    readonly why: string;
  }[];
}

interface Row {
  readonly service: string;
  readonly address: string;
  readonly announced: string;
  readonly communities: string;
  readonly why: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "SERVICE", cell: ({ service }) => service },
  { title: "ADDRESS", cell: ({ address }) => address },
  { title: "ANNOUNCED", cell: ({ announced }) => announced },
  { title: "COMMUNITIES", cell: ({ communities }) => communities },
  { title: "WHY", cell: ({ why }) => why },
];

export async function services(of: string | undefined, options: OptionValues): Promise<void> {
  const answer = await ask<Answer>(options, { path: "/v1/services", query: { of } });
  if (options["output"] === "json") print(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    for (const problem of answer.problems) print(`${paint("yellow", problem)}\n`);
    if (answer.services.length > 0) print(table(COLUMNS, answer.services.flatMap(rowsOf)));
    else if (of === undefined) print("no services: none are known, or BGPConfiguration has no ranges of theirs\n");
  }
  if (of !== undefined && answer.services.length === 0) {
    throw new Failure(`no service is or has ${of}; services are followed where BGPConfiguration has ranges of theirs`);
  }
}

function rowsOf({ service, addresses, communities, nothing }: ServiceAnswer): Row[] {
  if (addresses.length === 0) {
    return [{ service, address: "", announced: "no", communities: "", why: nothing ?? "it has no address" }];
  }
  return addresses.map(({ address, announced, within, why }) => ({
    service,
    address,
    announced: announced ? paint("green", "yes") : within === undefined ? "no" : `as ${within}`,
    communities: announced ? communities.join(" ") : "",
    why,
  }));
}
