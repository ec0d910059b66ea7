/** `overland replay FILE`: what a recording of a speaker comes to, without a network. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { Inspection } from "../../bgp/inspect/inspection.ts";
import { atOnce, type RouteView } from "../../bgp/inspect/types.ts";
import { type Replayed, replay } from "../speaker/replay.ts";
import { peersText } from "./bgp-peers.ts";
import { printRoutes, write } from "./bgp-routes.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { note, print } from "./terminal.ts";

export async function replayFile(file: string, options: OptionValues): Promise<void> {
  const replayed = await run(file);
  const { header, speaker, now, facts, notes } = replayed;
  const offset = Date.parse(header.clock.wall) - header.clock.at;
  const wall = (monotonic: number) => new Date(monotonic + offset).toISOString();
  const inspection = new Inspection({ speaker, now: () => now, wall });
  const peers = atOnce(inspection.peers());
  if (options["output"] === "json") {
    const { version, complete } = header;
    const about = { version, complete, until: wall(now), facts, notes, peers };
    // As the speaker answers: one document with a route a line, however many there are.
    print(`${JSON.stringify(about).slice(0, -1)},"routes":[`);
    let separator = "";
    for (const batch of inspection.routes({})) {
      if (batch.length === 0) continue;
      await write(separator + batch.map((route) => JSON.stringify(route)).join(",\n"));
      separator = ",\n";
    }
    return print("\n]}\n");
  }
  for (const one of notes) note(one);
  print(`${facts} facts, until ${wall(now)}, recorded by overland ${header.version}\n`);
  print(peersText(peers));
  print("\n");
  await printRoutes(routesOf(inspection));
}

function* routesOf(inspection: Inspection): Generator<RouteView> {
  for (const batch of inspection.routes({})) yield* batch;
}

async function run(file: string): Promise<Replayed> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    // readline would never say that the file cannot be read.
    return await Promise.race([replay(lines), new Promise<never>((_resolve, reject) => input.once("error", reject))]);
  } catch (error) {
    throw new Failure(`${file} cannot be replayed: ${(error as Error).message}`);
  }
}
