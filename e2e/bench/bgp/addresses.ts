/**
 * Who has which address and AS number. Everything lies in the range that RFC 2544 gave to benchmarks and is on one
 * link, so that next hops resolve without any help.
 */
import type { Scenario } from "./scenarios.ts";

export const DEVICE = { address: "198.18.0.1", asNumber: 65000 };
export const PREFIX_LENGTH = 16;
export const GENERATOR_ADDRESS = "198.18.0.2";
/** All other peers live in here; the generator's namespace has it as a local route. */
export const PEER_RANGE = "198.18.8.0/21";

const RECEIVER_AS = 65010;
const WATCHER_AS = 65020;
const FIRST_SENDER = toNumber("198.18.8.1");
const FIRST_WATCHER = toNumber("198.18.15.1");
const FIRST_SENDER_AS = 4_200_000_001;

export interface BenchPeer {
  readonly name: string;
  readonly role: "sender" | "receiver" | "watcher";
  readonly address: string;
  readonly asNumber: number;
  /** The device takes its routes. */
  readonly accept: boolean;
  /** The device sends it routes. */
  readonly announce: boolean;
}

/** The senders in order first, then the receiver, then watchers. */
export function peersOf(scenario: Scenario): BenchPeer[] {
  const { senders, reflector, allToAll, kernel, idleSeconds, watchers } = scenario;
  const asNumber = (other: number) => (reflector ? DEVICE.asNumber : other);
  const peers: BenchPeer[] = Array.from({ length: senders }, (_, i) => ({
    name: `sender${i}`,
    role: "sender",
    address: toText(FIRST_SENDER + i),
    asNumber: asNumber(FIRST_SENDER_AS + i),
    accept: true,
    announce: allToAll,
  }));
  if (!kernel && idleSeconds === 0) {
    const address = GENERATOR_ADDRESS;
    const terms = { asNumber: asNumber(RECEIVER_AS), accept: false, announce: true };
    peers.push({ name: "receiver", role: "receiver", address, ...terms });
  }
  for (let i = 0; i < watchers; i++) {
    const terms = { asNumber: asNumber(WATCHER_AS + i), accept: false, announce: false };
    peers.push({ name: `watcher${i}`, role: "watcher", address: toText(FIRST_WATCHER + i), ...terms });
  }
  return peers;
}

/** The number of the sender with this AS number or this address; of no sender: a number that no sender has. */
export const senderByAs = (asNumber: number): number => asNumber - FIRST_SENDER_AS;
export const senderByAddress = (address: number): number => address - FIRST_SENDER;

export function toNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}
