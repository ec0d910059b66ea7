/**
 * Reads a capture file as tcpdump writes it (classic pcap, Ethernet) down to what tells a bare packet from a wrapped
 * one: the addresses and the protocol of the *outermost* IP header, and ports if it is UDP or TCP. Pure.
 */

export interface CapturedPacket {
  readonly source: string;
  readonly destination: string;
  /** IANA protocol number behind the IP header and, for IPv6, its extension headers. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const LINKTYPE_ETHERNET = 1;
const IPV6_EXTENSIONS = new Set([0, 43, 44, 60]);

/** IP packets of the capture, in order. A last record that was cut off (the capture still running) is left out. */
export function readCapture(file: Buffer): CapturedPacket[] {
  if (file.length < FILE_HEADER) return [];
  const little = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(file.readUInt32LE(0));
  if (!little && ![MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(file.readUInt32BE(0))) {
    throw new Error("not a pcap file");
  }
  const u32 = (at: number) => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  if (u32(20) !== LINKTYPE_ETHERNET) throw new Error(`link type ${u32(20)} of the capture is not Ethernet`);
  const packets: CapturedPacket[] = [];
  for (let at = FILE_HEADER; at + RECORD_HEADER <= file.length; ) {
    const length = u32(at + 8);
    const frame = file.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    const packet = frame.length === length ? readFrame(frame) : undefined;
    if (packet !== undefined) packets.push(packet);
    at += RECORD_HEADER + length;
  }
  return packets;
}

function readFrame(frame: Buffer): CapturedPacket | undefined {
  if (frame.length < 14) return undefined;
  const etherType = frame.readUInt16BE(12);
  const payload = frame.subarray(14);
  if (etherType === 0x0800) return readIpv4(payload);
  if (etherType === 0x86dd) return readIpv6(payload);
  return undefined;
}

function readIpv4(packet: Buffer): CapturedPacket | undefined {
  if (packet.length < 20) return undefined;
  const text = (at: number) => packet.subarray(at, at + 4).join(".");
  const header = { source: text(12), destination: text(16), protocol: packet.readUInt8(9) };
  return { ...header, ...readPorts(header.protocol, packet.subarray((packet.readUInt8(0) & 15) * 4)) };
}

function readIpv6(packet: Buffer): CapturedPacket | undefined {
  if (packet.length < 40) return undefined;
  let protocol = packet.readUInt8(6);
  let at = 40;
  while (IPV6_EXTENSIONS.has(protocol) && at + 8 <= packet.length) {
    const length = protocol === 44 ? 8 : (packet.readUInt8(at + 1) + 1) * 8;
    protocol = packet.readUInt8(at);
    at += length;
  }
  const header = { source: ipv6Text(packet.subarray(8, 24)), destination: ipv6Text(packet.subarray(24, 40)), protocol };
  return { ...header, ...readPorts(protocol, packet.subarray(at)) };
}

function readPorts(protocol: number, payload: Buffer): Pick<CapturedPacket, "sourcePort" | "destinationPort"> {
  if ((protocol !== 6 && protocol !== 17) || payload.length < 4) return {};
  return { sourcePort: payload.readUInt16BE(0), destinationPort: payload.readUInt16BE(2) };
}

/** RFC 5952 text: no leading zeros, the first longest run of zero groups as "::". */
function ipv6Text(octets: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => octets.readUInt16BE(index * 2).toString(16));
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > best.length) best = { at, length };
  }
  if (best.at < 0) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.length).join(":")}`;
}
