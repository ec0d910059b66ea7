import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../../ipam/net/address.ts";
import { prefixOf } from "../../../ipam/net/prefix.ts";
import { addAddress, addPermanentNeighbour } from "./address.ts";
import { RequestBatch } from "./batch.ts";
import { createVeth, deleteLinkGroup, setLinkUp, setNoGeneratedAddress } from "./link.ts";
import { attributesIn, messagesIn, readError } from "./reader.ts";
import { readRoute, removeRoute, replaceRoute } from "./route.ts";

// Golden octets are those of a little-endian machine, which every one we build for is.
const marks = { protocol: 201, metric: 1024 };

function octets(build: (batch: RequestBatch) => void, sequence = 1): string {
  const batch = new RequestBatch();
  build(batch);
  return Buffer.from(batch.seal(sequence)).toString("hex");
}

function hex(...parts: string[]): string {
  return parts.join("").replaceAll(" ", "");
}

describe("a request batch", () => {
  it("writes a gateway route as iproute2 does", () => {
    const target = { kind: "unicast", nextHops: [{ gateway: addressOf("10.0.0.2") }] } as const;
    expect(octets((batch) => replaceRoute(batch, prefixOf("10.9.0.0/16"), target, marks), 0x6b0105c8)).toBe(
      hex(
        "34000000 1800 0505 c805016b 00000000", // 52 octets, RTM_NEWROUTE, REQUEST|ACK|REPLACE|CREATE
        "02 10 00 00 fe c9 00 01 00000000", // IPv4, /16, main, protocol 201, universe, unicast
        "0800 0100 0a090000", // RTA_DST
        "0800 0600 00040000", // RTA_PRIORITY 1024
        "0800 0500 0a000002", // RTA_GATEWAY
      ),
    );
  });

  it("writes a next hop set as RTA_MULTIPATH with a struct rtnexthop for each", () => {
    const nextHops = [{ gateway: addressOf("fe80::1"), interfaceIndex: 2 }, { gateway: addressOf("fd00::2") }];
    const text = octets((batch) => replaceRoute(batch, prefixOf("fd00:9::/64"), { kind: "unicast", nextHops }, marks));
    expect(text.slice(2 * (16 + 12 + 20 + 8))).toBe(
      hex(
        "3c00 0900",
        "1c00 00 00 02000000 1400 0500 fe800000000000000000000000000001",
        "1c00 00 00 00000000 1400 0500 fd000000000000000000000000000002",
      ),
    );
  });

  it("writes a blackhole and a removal of whatever next hops", () => {
    const blackhole = octets((batch) => replaceRoute(batch, prefixOf("10.0.0.0/26"), { kind: "blackhole" }, marks));
    expect(blackhole).toBe(
      hex("2c000000 1800 0505 01000000 00000000 021a0000fec9000600000000", "0800 0100 0a000000 0800 0600 00040000"),
    );
    expect(octets((batch) => removeRoute(batch, prefixOf("10.0.0.0/26"), marks))).toBe(
      hex("2c000000 1900 0500 01000000 00000000 021a0000fec9ff0000000000", "0800 0100 0a000000 0800 0600 00040000"),
    );
  });

  it("writes addresses, with duplicate address detection off for IPv6 only", () => {
    expect(octets((batch) => addAddress(batch, 7, { address: addressOf("10.1.2.3"), length: 32 }))).toBe(
      hex("28000000 1400 0506 01000000 00000000 02 20 00 00 07000000 0800 0200 0a010203 0800 0100 0a010203"),
    );
    const link = octets((batch) => addAddress(batch, 7, { address: addressOf("fe80::1"), length: 64 }));
    expect(link.slice(32, 48)).toBe(hex("0a 40 02 fd 07000000"));
  });

  it("writes a permanent neighbour", () => {
    const mac = new Uint8Array(6).fill(0xee);
    expect(octets((batch) => addPermanentNeighbour(batch, 3, addressOf("169.254.1.1"), mac))).toBe(
      hex(
        "30000000 1c00 0505 01000000 00000000",
        "02 00 0000 03000000 8000 00 00",
        "0800 0100 a9fe0101 0a00 0200 eeeeeeeeeeee 0000",
      ),
    );
  });

  it("writes link requests: up, no generated address (nested), delete by group", () => {
    expect(octets((batch) => setLinkUp(batch, { index: 5 }))).toBe(
      hex("20000000 1300 0500 01000000 00000000 00000000 05000000 01000000 01000000"),
    );
    expect(octets((batch) => setNoGeneratedAddress(batch, 5)).slice(64)).toBe(
      hex("1000 1a80 0c00 0a80 0500 0800 01 000000"),
    );
    expect(octets((batch) => deleteLinkGroup(batch, 0x6f760001)).slice(64)).toBe(hex("0800 1b00 0100766f"));
  });

  it("writes a veth whose peer is described in full, with its namespace", () => {
    const mac = new Uint8Array(6).fill(2);
    const text = octets((batch) => createVeth(batch, { name: "h", mac }, { name: "p", mac }, 1500, 9));
    const end = (name: string) =>
      `0600 0300 ${name}00 0000 0a00 0100 020202020202 0000 0800 0400 dc050000 0800 1f00 01000000 0800 2000 01000000`;
    expect(text.slice(64)).toBe(
      hex(
        end("68"),
        "5c00 1280 0900 0100 7665746800 000000",
        "4c00 0280 4800 0100 00000000 00000000 00000000 00000000",
        end("70"),
        "0800 1c00 09000000",
      ),
    );
  });

  it("numbers its requests and asks for an acknowledgement of the last only", () => {
    const batch = new RequestBatch();
    for (let i = 0; i < 50; i++) setLinkUp(batch, { index: i });
    const messages = [...messagesIn(batch.seal(100))];
    expect(messages.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 50 }, (_, i) => 100 + i));
    expect(messages.filter(({ flags }) => (flags & 4) !== 0)).toHaveLength(1);
    expect((messages.at(-1)?.flags ?? 0) & 4).toBe(4);
  });
});

describe("the reader", () => {
  it("stops at a message or attribute whose length cannot be", () => {
    expect([...messagesIn(Buffer.from("0f000000020000000100000000000000", "hex"))]).toEqual([]);
    expect([...messagesIn(Buffer.from("ff000000020000000100000000000000", "hex"))]).toEqual([]);
    expect(attributesIn(Buffer.from("0300010008000200", "hex"), 0).size).toBe(0);
  });

  it("reads a refusal with the kernel's reason", () => {
    const text = Buffer.from("bad thing\0\0\0").toString("hex");
    const datagram = Buffer.from(
      hex("34000000 0200 0003 07000000 00000000 eaffffff", "20000000 1800 0505 07000000 00000000", "0e00 0100", text),
      "hex",
    );
    const [message] = [...messagesIn(datagram)];
    expect(message?.sequence).toBe(7);
    expect(message === undefined ? undefined : readError(message)).toEqual({ errno: 22, text: "bad thing" });
  });

  it("reads back what the writer wrote of a route", () => {
    const batch = new RequestBatch();
    const prefix = prefixOf("fd00:9::/64");
    const nextHops = [
      { gateway: addressOf("fe80::1"), interfaceIndex: 2 },
      { gateway: addressOf("fe80::2"), interfaceIndex: 3 },
    ];
    replaceRoute(batch, prefix, { kind: "unicast", nextHops }, marks);
    const [message] = [...messagesIn(batch.seal(1))];
    if (message === undefined) throw new Error("nothing written");
    expect(readRoute(message)).toEqual({
      prefix,
      target: { kind: "unicast", nextHops },
      protocol: 201,
      metric: 1024,
      table: 254,
      scope: 0,
    });
  });
});
