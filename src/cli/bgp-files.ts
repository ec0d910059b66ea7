/** `overland bgp capture`, `record` and `mrt`: what the speaker sends goes into a file, or on, as it comes. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { askLong, type Question } from "./bgp-client.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { counted, note } from "./terminal.ts";

export async function bgpCapture(peer: string, options: OptionValues): Promise<void> {
  const output = options["output"] as string | undefined;
  const duration = options["duration"] as number | undefined;
  const count = options["count"] as number | undefined;
  const format = output === "json" ? "json" : output?.endsWith(".pcap") === true ? "pcap" : "text";
  const question = {
    path: `/v1/bgp/peers/${encodeURIComponent(peer)}/capture`,
    query: { format, count: count?.toString(), duration: duration?.toString() },
  };
  const file = output === "json" ? "-" : (output ?? "-");
  await save(options, question, file, "keep what there is");
}

export async function bgpRecord(options: OptionValues): Promise<void> {
  await save(options, { path: "/v1/bgp/record", method: "POST" }, options["output"] as string, "whole or not at all");
}

export async function bgpMrt(options: OptionValues): Promise<void> {
  await save(options, { path: "/v1/bgp/mrt" }, options["output"] as string, "whole or not at all");
}

/** `-` is standard output. A broken-off file that is of no use is taken away again. */
async function save(
  options: OptionValues,
  question: Question,
  file: string,
  broken: "keep what there is" | "whole or not at all",
): Promise<void> {
  const parts = askLong(options, question);
  // Asked before the file is touched: a question that is refused must not cost an older file.
  const first = await parts.next();
  if (file === "-") return await writeAll(process.stdout, first, parts).then(() => undefined);
  const stream = createWriteStream(file);
  const failed = once(stream, "error").then(([error]) => {
    throw new Failure(`cannot write ${file}: ${(error as Error).message}`);
  });
  try {
    const octets = await Promise.race([writeAll(stream, first, parts), failed]);
    await Promise.race([new Promise<void>((resolve) => stream.end(() => resolve())), failed]);
    note(`${file}: ${counted(octets, "octet")}`);
  } catch (error) {
    stream.destroy();
    if (broken === "whole or not at all") await rm(file, { force: true });
    throw error;
  } finally {
    failed.catch(() => undefined);
    await parts.return(undefined);
  }
}

async function writeAll(
  stream: Writable,
  first: IteratorResult<Buffer>,
  parts: AsyncGenerator<Buffer>,
): Promise<number> {
  let octets = 0;
  for (let next = first; next.done !== true; next = await parts.next()) {
    octets += next.value.length;
    if (!stream.write(next.value)) await once(stream, "drain");
  }
  return octets;
}
