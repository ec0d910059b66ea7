import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { changeNeeds, type PeerConfig } from "./peer-config.ts";
import { PEER_CONFIG as BEFORE } from "./testing.ts";

describe("a change of a peer's configuration", () => {
  it.each<[string, Partial<PeerConfig>, string]>([
    [
      "an equal one, made anew",
      { address: addressOf("10.0.0.1"), localAddresses: { 4: addressOf("10.0.0.11") } },
      "nothing",
    ],
    ["another hold time", { holdTime: 30 }, "new session"],
    ["another address", { address: addressOf("10.0.0.2") }, "new session"],
    ["families the other way round", { families: [6, 4] }, "new session"],
    [
      "an IPv6 address of our own",
      { localAddresses: { 4: addressOf("10.0.0.11"), 6: addressOf("fd00::1") } },
      "re-evaluation",
    ],
    ["another next hop mode", { nextHopMode: "Self" }, "re-evaluation"],
  ])("%s", (_name, change, needs) => {
    expect(changeNeeds(BEFORE, { ...BEFORE, ...change })).toBe(needs);
  });
});
