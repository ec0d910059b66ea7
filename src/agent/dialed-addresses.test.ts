import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { ip, ipJson, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { DialedAddresses } from "./dialed-addresses.ts";

const FOUR = "169.254.0.179";
const SIX = "fd00::179";
const log = { info: () => undefined, warn: () => undefined };

let netns: TestNetns;
let directory: string;
const opened = () => new DialedAddresses({ file: `${directory}/dialed`, log, netns: netns.path });
const set = (addresses: DialedAddresses, ...texts: readonly string[]) => addresses.set(texts.map(addressOf));

beforeEach(() => {
  netns = makeTestNetns();
  directory = mkdtempSync(`${tmpdir()}/overland-dialed-`);
});

afterEach(() => {
  removeTestNetns(netns);
  rmSync(directory, { recursive: true });
});

const onLo = () =>
  ["-4", "-6"].flatMap((family) =>
    ip(netns, `${family} -br addr show dev lo`)
      .split(/\s+/)
      .filter((word) => word.includes("/") && !/^(127\.0\.0\.1|::1)\//.test(word)),
  );

describe("the addresses that pods dial", () => {
  it("are on lo while they are asked for, in both families, put back, and gone afterwards", () => {
    const addresses = opened();
    set(addresses, FOUR, SIX);
    expect([onLo(), addresses.problems]).toEqual([[`${FOUR}/32`, `${SIX}/128`], []]);
    ip(netns, `addr del ${FOUR}/32 dev lo`);
    set(addresses, FOUR, SIX);
    expect(onLo()).toEqual([`${FOUR}/32`, `${SIX}/128`]);
    set(addresses, SIX);
    expect(onLo()).toEqual([`${SIX}/128`]);
    set(addresses);
    expect([onLo(), addresses.problems]).toEqual([[], []]);
  });

  it("are taken away by a later run too; one that somebody else put there stays", () => {
    ip(netns, "addr add 169.254.0.9/32 dev lo");
    set(opened(), FOUR, "169.254.0.9");
    set(opened(), SIX);
    expect(onLo()).toEqual(["169.254.0.9/32", `${SIX}/128`]);
    set(opened());
    expect(onLo()).toEqual(["169.254.0.9/32"]);
  });

  it("that cannot be had are a problem by the field's name, and those that can are there", () => {
    const off = ["sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1"];
    execFileSync("ip", ["netns", "exec", netns.name, ...off]);
    const addresses = opened();
    set(addresses, FOUR, SIX);
    expect([onLo(), addresses.there.map(formatAddress)]).toEqual([[`${FOUR}/32`], [FOUR]]);
    expect(addresses.problems).toEqual([
      expect.stringMatching(/^BGPConfiguration default: localWorkloadPeeringIPV6: fd00::179 cannot be put on lo: E/),
    ]);
  });

  it("are never what the machine speaks from by itself", () => {
    const other = makeTestNetns();
    try {
      joinTestNetns(netns, other, ["10.0.0.1/24", "2001:db8::1/64"], ["10.0.0.2/24", "2001:db8::2/64"]);
      // As to a pod: by a link that has neither address.
      ip(netns, "link add pod type veth peer name far");
      for (const end of ["pod", "far"]) ip(netns, `link set ${end} up`);
      ip(netns, "route add 10.244.0.5 dev pod");
      ip(netns, "route add fd00:244::5 dev pod");
      const sources = () => ["10.244.0.5", "fd00:244::5"].map((to) => ipJson(netns, `route get ${to}`)[0]?.["prefsrc"]);
      set(opened(), FOUR, SIX);
      expect(sources()).toEqual(["10.0.0.1", "2001:db8::1"]);
    } finally {
      removeTestNetns(other);
    }
  });
});
