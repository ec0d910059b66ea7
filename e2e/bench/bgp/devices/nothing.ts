/** Devices that do nothing with what they get: what the generator itself can do, with and without a receiver. */
import { join } from "node:path";
import type { Device } from "./device.ts";

const PROGRAM = join(import.meta.dirname, "../../bgp-nothing.ts");

/** Reads and drops. */
export const SINK = nothing("sink");
/** Copies the octets of the sender to the receiver. */
export const RELAY = nothing("relay");

function nothing(nature: "sink" | "relay"): Device {
  return {
    name: nature,
    note: "does nothing",
    nature,
    program: PROGRAM,
    version: [process.execPath, "--version"],
    cannot: ({ letter }) => (letter === "s" ? undefined : "measures the generator"),
    prepare: ({ port }) => [{ command: [process.execPath, PROGRAM, nature, String(port)] }],
  };
}
