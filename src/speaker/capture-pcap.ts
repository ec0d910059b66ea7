/**
 * Captured messages as a pcap file for tcpdump and Wireshark: IP and TCP headers are made up around the octets.
 *
 * Addresses, ports and times are the real ones, and sequence numbers follow the octets of each direction; how TCP cut
 * them on the wire is not known here, so each message is a packet, or several where it is too long for one.
 */
import { putU16, putU32 } from "../../bgp/wire/octets.ts";
import type { Address } from "../../ipam/net/address.ts";

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

export interface Packet {
  /** Milliseconds since 1970. */
  readonly wallTime: number;
  /** Packets of one connection share their sequence numbers. */
  readonly connection: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly direction: "received" | "sent";
  readonly octets: Uint8Array;
}

const MAGIC = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAP_LENGTH = 262_144;
/** Below the 65,535 octets of an IP packet. */
const LARGEST_PAYLOAD = 32_768;
const TCP_HEADER = 20;
const PROTOCOL_TCP = 6;
const PSH_ACK = 0x18;
const WINDOW = 65_535;
const FIRST_SEQUENCE = 1;

/** Goes first in a file: big-endian, microseconds, packets that begin with their IP header. */
export function pcapHeader(): Uint8Array {
  const header = new Uint8Array(24);
  putU32(header, 0, MAGIC);
  putU16(header, 4, 2);
  putU16(header, 6, 4);
  putU32(header, 16, SNAP_LENGTH);
  putU32(header, 20, LINKTYPE_RAW);
  return header;
}

export class PcapWriter {
  /** Next sequence number of each direction, by connection. */
  readonly #sequences = new Map<number, { received: number; sent: number }>();

  /** The records of one message, to be written one after the other. */
  records(packet: Packet): Uint8Array[] {
    const next = this.#sequences.get(packet.connection) ?? { received: FIRST_SEQUENCE, sent: FIRST_SEQUENCE };
    this.#sequences.set(packet.connection, next);
    const other = packet.direction === "received" ? "sent" : "received";
    const records: Uint8Array[] = [];
    for (let at = 0; at < packet.octets.length; at += LARGEST_PAYLOAD) {
      const payload = packet.octets.subarray(at, at + LARGEST_PAYLOAD);
      records.push(record(packet, next[packet.direction], next[other], payload));
      next[packet.direction] = (next[packet.direction] + payload.length) >>> 0;
    }
    return records;
  }
}

function record(packet: Packet, sequence: number, acknowledged: number, payload: Uint8Array): Uint8Array {
  const { source, destination, wallTime } = packet;
  const ipHeader = source.address.length === 4 ? 20 : 40;
  const length = ipHeader + TCP_HEADER + payload.length;
  const octets = new Uint8Array(16 + length);
  const seconds = Math.floor(wallTime / 1000);
  putU32(octets, 0, seconds);
  putU32(octets, 4, Math.min(999_999, Math.round((wallTime - 1000 * seconds) * 1000)));
  putU32(octets, 8, length);
  putU32(octets, 12, length);
  const ip = octets.subarray(16);
  if (ipHeader === 20) putIPv4(ip, length, source.address, destination.address);
  else putIPv6(ip, length, source.address, destination.address);
  const tcp = ip.subarray(ipHeader);
  putU16(tcp, 0, source.port);
  putU16(tcp, 2, destination.port);
  putU32(tcp, 4, sequence);
  putU32(tcp, 8, acknowledged);
  tcp[12] = (TCP_HEADER / 4) << 4;
  tcp[13] = PSH_ACK;
  putU16(tcp, 14, WINDOW);
  tcp.set(payload, TCP_HEADER);
  const pseudo = sum(destination.address, sum(source.address, PROTOCOL_TCP + tcp.length));
  putU16(tcp, 16, checksum(sum(tcp, pseudo)));
  return octets;
}

function putIPv4(ip: Uint8Array, length: number, source: Address, destination: Address): void {
  ip[0] = 0x45;
  // Internetwork control, as BGP is sent.
  ip[1] = 0xc0;
  putU16(ip, 2, length);
  putU16(ip, 6, 0x4000);
  ip[8] = 64;
  ip[9] = PROTOCOL_TCP;
  ip.set(source, 12);
  ip.set(destination, 16);
  putU16(ip, 10, checksum(sum(ip.subarray(0, 20), 0)));
}

function putIPv6(ip: Uint8Array, length: number, source: Address, destination: Address): void {
  putU32(ip, 0, 0x6c000000);
  putU16(ip, 4, length - 40);
  ip[6] = PROTOCOL_TCP;
  ip[7] = 64;
  ip.set(source, 8);
  ip.set(destination, 24);
}

/** RFC 1071, as 16-bit words; an odd last octet is followed by a zero. */
function sum(octets: Uint8Array, start: number): number {
  let total = start;
  for (let at = 0; at < octets.length; at += 2) {
    total += ((octets[at] as number) << 8) | (octets[at + 1] ?? 0);
  }
  return total;
}

function checksum(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}
