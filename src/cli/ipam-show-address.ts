/** `overland ipam show --ip`: who has an address; and if nobody has, whether it can be had. */
import { type Block, ordinalOf } from "../../ipam/block.ts";
import { allocationAt, findLeaks } from "../../ipam/leaks.ts";
import { type Address, formatAddress, sameAddress } from "../../ipam/net/address.ts";
import { containsAddress, formatPrefix } from "../../ipam/net/prefix.ts";
import type { IpamRecords } from "./ipam-records.ts";
import { timeText } from "./ipam-report.ts";

export interface AddressFacts {
  readonly ip: string;
  readonly inUse: boolean;
  /** `unknown`: the record of its block cannot be read. */
  readonly state: "in use" | "resting" | "reserved" | "free" | "in no pool" | "unknown";
  readonly pool: string | null;
  readonly block: string | null;
  readonly blockOwner: string | null;
  readonly handle?: string;
  /** The node its pod is on. */
  readonly node?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly containerID?: string;
  readonly interface?: string;
  readonly since?: string;
  /** When it can be given out again. */
  readonly restsUntil?: string;
  /** Why it should not be in use. */
  readonly leaked?: string;
}

export function addressFacts(records: IpamRecords, address: Address, now: number): AddressFacts {
  const { pools, rules, reading, nodes } = records;
  const known = [...reading.blocks.values()].find(({ cidr }) => containsAddress(cidr, address));
  const block = known?.value;
  const allocation = allocationAt(block, address);
  const pool = pools.find(({ cidr }) => containsAddress(cidr, address))?.name ?? null;
  const facts = {
    ip: formatAddress(address),
    inUse: allocation !== undefined,
    pool,
    block: known === undefined ? null : formatPrefix(known.cidr),
    blockOwner: block?.node ?? null,
  };
  if (known !== undefined && block === undefined) return { ...facts, state: "unknown" };
  const leak = findLeaks(reading, nodes).find(({ addresses }) =>
    addresses.some((one) => sameAddress(one.address, address)),
  );
  const leaked = leak === undefined ? {} : { leaked: leak.why };
  if (allocation !== undefined && block !== undefined) {
    const { handle, node = block.node, namespace, pod, containerID, ifName, at } = allocation;
    const who = { ...(namespace === undefined ? {} : { namespace }), ...(pod === undefined ? {} : { pod }) };
    const where = { handle, node, ...who, containerID, interface: ifName, since: timeText(at) };
    return { ...facts, state: "in use", ...where, ...leaked };
  }
  if (pool === null) return { ...facts, state: "in no pool", ...leaked };
  // An IPReservation has it: given out only to who asks for exactly this one.
  if (rules.reserved.has(address)) return { ...facts, state: "reserved", ...leaked };
  const until = block && restsUntil(block, address, rules.restMs);
  if (until === undefined || until <= now) return { ...facts, state: "free", ...leaked };
  return { ...facts, state: "resting", restsUntil: timeText(until), ...leaked };
}

function restsUntil(block: Block, address: Address, restMs: number): number | undefined {
  const released = block.released.get(ordinalOf(block, address) ?? -1);
  return released === undefined ? undefined : released + restMs;
}

/** For people: a sentence, and what is known below it. */
export function addressText(facts: AddressFacts): string {
  const { ip: _ip, inUse: _inUse, state: _state, ...rest } = facts;
  const lines = Object.entries(rest).flatMap(([name, value]) => (value === null ? [] : [`  ${name}: ${value}`]));
  return [sentence(facts), ...lines].join("\n");
}

function sentence({ ip, state, restsUntil, block, leaked }: AddressFacts): string {
  switch (state) {
    case "in use":
      return `IP ${ip} is in use${leaked === undefined ? "" : ", and leaked"}`;
    case "resting":
      return `IP ${ip} is not in use; it rests until ${restsUntil}`;
    case "reserved":
      return `IP ${ip} is not in use; an IPReservation keeps it for those who ask for it`;
    case "free":
      return `IP ${ip} is not in use; ${block === null ? "no node has its block yet" : "it is free"}`;
    case "in no pool":
      return `IP ${ip} is not in use; it is in no pool`;
    case "unknown":
      return `IP ${ip}: the record of its block cannot be read; see \`overland ipam check\``;
  }
}
