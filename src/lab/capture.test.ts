import { describe, expect, it } from "@jest/globals";
import { judgeCapture } from "./capture.ts";
import { readCapture } from "./pcap.ts";

/** A classic pcap file, little endian, microseconds, Ethernet. */
function pcap(...frames: Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...records]);
}

const ethernet = (type: number, payload: Buffer) => {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
};

function ipv4(source: string, destination: string, protocol: number, payload = Buffer.alloc(8)): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt8(protocol, 9);
  Buffer.from(source.split(".").map(Number)).copy(header, 12);
  Buffer.from(destination.split(".").map(Number)).copy(header, 16);
  return ethernet(0x0800, Buffer.concat([header, payload]));
}

function ipv6(source: string, destination: string, next: number, payload = Buffer.alloc(8)): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt8(next, 6);
  Buffer.from(source, "hex").copy(header, 8);
  Buffer.from(destination, "hex").copy(header, 24);
  return ethernet(0x86dd, Buffer.concat([header, payload]));
}

const udp = (sourcePort: number, destinationPort: number) => {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  return header;
};

const VM = "10.20.1.10";
const POD = "10.244.0.1";
const FLOW = { name: "vm1 ↔ pod", source: VM, destination: POD };

describe("reading a capture", () => {
  it("reads addresses, protocol and ports of the outermost header", () => {
    expect(readCapture(pcap(ipv4(VM, POD, 6, udp(40000, 80))))).toEqual([
      { source: VM, destination: POD, protocol: 6, sourcePort: 40000, destinationPort: 80 },
    ]);
  });

  it("reads IPv6 in its short text and looks behind extension headers", () => {
    const hopByHop = Buffer.concat([Buffer.from([58, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);
    const from = "fd002440000000000000000000000001";
    const to = "fd000020000100000000000000000010";
    expect(readCapture(pcap(ipv6(from, to, 0, hopByHop)))).toEqual([
      { source: "fd00:2440::1", destination: "fd00:20:1::10", protocol: 58 },
    ]);
  });

  it("leaves out what is not IP, what is too short, and a record still being written", () => {
    const arp = ethernet(0x0806, Buffer.alloc(28));
    const whole = pcap(arp, ethernet(0x0800, Buffer.alloc(4)), ipv4(VM, POD, 1));
    expect(readCapture(whole)).toHaveLength(1);
    expect(readCapture(whole.subarray(0, whole.length - 3))).toHaveLength(0);
    expect(readCapture(Buffer.alloc(0))).toEqual([]);
  });

  it("refuses a file that is none", () => {
    expect(() => readCapture(Buffer.alloc(64))).toThrow("not a pcap file");
  });
});

describe("judging a capture", () => {
  const bare = [ipv4(VM, POD, 1), ipv4(POD, VM, 1)];

  it("is content with bare packets in both directions", () => {
    expect(judgeCapture(readCapture(pcap(...bare)), [FLOW])).toEqual({ packets: 2, missing: [], tunnels: [] });
  });

  it("misses a flow seen in one direction only", () => {
    expect(judgeCapture(readCapture(pcap(ipv4(VM, POD, 1))), [FLOW]).missing).toEqual(["vm1 ↔ pod"]);
  });

  it.each([
    ["IP in IP", ipv4("10.10.1.11", "10.10.2.11", 4)],
    ["GRE", ipv4("10.10.1.11", "10.10.2.11", 47)],
    ["ESP", ipv4("10.10.1.11", "10.10.2.11", 50)],
    ["VXLAN", ipv4("10.10.1.11", "10.10.2.11", 17, udp(50000, 4789))],
    ["Geneve", ipv4("10.10.1.11", "10.10.2.11", 17, udp(50000, 6081))],
    ["WireGuard", ipv4("10.10.1.11", "10.10.2.11", 17, udp(51820, 40000))],
  ])("names %s", (name, frame) => {
    expect(judgeCapture(readCapture(pcap(...bare, frame)), [FLOW]).tunnels).toEqual([name]);
  });

  it("does not take the addresses inside a tunnel for bare ones", () => {
    const wrapped = readCapture(pcap(ipv4(VM, POD, 17, udp(1, 4789)), ipv4(POD, VM, 17, udp(1, 4789))));
    expect(judgeCapture(wrapped, [FLOW])).toMatchObject({ missing: ["vm1 ↔ pod"], tunnels: ["VXLAN"] });
  });
});
