import { describe, expect, it } from "@jest/globals";
import { parseDuration, secondsOf } from "./duration.ts";
import { kindCalled, whyUnsupported } from "./kinds.ts";
import { readPeerAddress } from "./peer-address.ts";
import { nearestName } from "./suggest.ts";

describe("a duration", () => {
  it.each([
    ["120s", 120_000],
    ["2m0s", 120_000],
    ["1h2m3.5s", 3_723_500],
    ["250ms", 250],
    [".5s", 500],
    ["0", 0],
    ["0s", 0],
  ])("%s is %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["", "90", "s", "1 s", "-1s", "1d", "1s2", "1e3s", "1ss", "１s"])("%j is none", (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it("or a number is seconds", () => expect([secondsOf(9), secondsOf("1m30s")]).toEqual([9, 90]));
});

describe("a peer's address", () => {
  it.each([
    ["192.0.2.1", { address: "192.0.2.1" }],
    ["192.0.2.1:179", { address: "192.0.2.1", port: 179 }],
    ["2001:db8::1", { address: "2001:db8::1" }],
    ["[2001:db8::1]", { address: "2001:db8::1" }],
    ["[2001:db8::1]:65535", { address: "2001:db8::1", port: 65535 }],
    ["fe80::1%eth0", { address: "fe80::1%eth0" }],
    ["192.0.2.1:0", undefined],
    ["192.0.2.1:65536", undefined],
    ["192.0.2.1:", undefined],
    ["[192.0.2.1]:x", undefined],
    ["tor1:179", undefined],
    ["", undefined],
  ])("%j", (text, parts) => expect(readPeerAddress(text)).toEqual(parts));
});

describe("names", () => {
  it("of kinds may be singular, plural or short, in any case", () => {
    for (const text of ["ippool", "IPPool", "ippools", "ipp", "pool", "POOLS"]) expect(kindCalled(text)).toBe("IPPool");
    expect(["bgpp", "bgpconfig", "nodes", "felix"].map(kindCalled)).toEqual([
      "BGPPeer",
      "BGPConfiguration",
      "Node",
      undefined,
    ]);
    expect(kindCalled("ipamconfig")).toBe("IPAMConfiguration");
    expect(whyUnsupported("calicoNodeStatuss")).toMatch(/^not supported; ask a node/);
  });

  it("that were mistyped are found when near enough", () => {
    const known = ["asNumber", "peerIP", "nodeSelector", "peerSelector"];
    const typed = ["asNumer", "peerip", "nodeselektor", "colour", "x"];
    // Two letters swapped are one mistake.
    expect(nearestName("egde", ["edge", "core"])).toBe("edge");
    expect(typed.map((text) => nearestName(text, known))).toEqual([
      "asNumber",
      "peerIP",
      "nodeSelector",
      undefined,
      undefined,
    ]);
  });
});
