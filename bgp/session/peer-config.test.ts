import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { changeNeeds, type PeerConfig } from "./peer-config.ts";

const BEFORE: PeerConfig = {
  name: "tor1",
  address: addressOf("10.0.0.1"),
  port: 179,
  asNumber: 65001,
  localAsNumber: 64512,
  routerId: addressOf("10.0.0.11"),
  sourceAddress: addressOf("10.0.0.11"),
  passive: false,
  families: [4, 6],
  holdTime: 90,
  keepaliveTime: undefined,
  connectRetryTime: 5,
  restartTime: 120,
  localAddresses: { 4: addressOf("10.0.0.11") },
  nextHopMode: "Auto",
  numAllowedLocalAsNumbers: 0,
  ttlSecurity: undefined,
  exportScope: "all",
};

describe("a change of a peer's configuration", () => {
  it.each<[string, Partial<PeerConfig>, string]>([
    [
      "an equal one, made anew",
      { address: addressOf("10.0.0.1"), localAddresses: { 4: addressOf("10.0.0.11") } },
      "nothing",
    ],
    ["another hold time", { holdTime: 9 }, "new session"],
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
