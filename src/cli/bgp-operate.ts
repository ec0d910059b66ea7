/** `overland bgp reset|shutdown|enable PEER`. */
import type { PeerView } from "../../bgp/inspect/types.ts";
import { ask } from "./bgp-client.ts";
import type { OptionValues } from "./options.ts";
import { print } from "./terminal.ts";

export async function operate(
  what: "reset" | "shutdown" | "enable",
  peer: string,
  options: OptionValues,
): Promise<void> {
  const { soft, message } = options as { soft?: boolean; message?: string };
  const body = { ...(soft !== undefined && { soft }), ...(message !== undefined && { message }) };
  const path = `/v1/bgp/peers/${encodeURIComponent(peer)}/${what}`;
  const after = await ask<PeerView>(options, { path, method: "POST", body });
  if (options["output"] === "json") return print(`${JSON.stringify(after, null, 2)}\n`);
  const done = {
    reset: soft === true ? "asked for all routes again" : "reset",
    shutdown: "shut down",
    enable: "enabled",
  };
  print(`${after.name} ${done[what]}; it is ${after.state}`);
}
