/** Nexthop objects: `struct nhmsg` and its attributes. Linux 5.3 and later. */

import { addressFamily } from "./address.ts";
import type { RequestBatch } from "./batch.ts";
import * as nl from "./constants.ts";
import { attributesIn, readU32 } from "./reader.ts";
import type { NextHop } from "./route.ts";

const NHMSG_LENGTH = 8;
/** `struct nexthop_grp`: id, weight less one, reserved. */
const MEMBER_LENGTH = 8;

export interface NextHopObject {
  readonly id: number;
  readonly protocol: number;
  /** Of an object for a single next hop. */
  readonly hop: NextHop;
  /** Ids of a group's objects; empty for a single next hop. */
  readonly members: readonly number[];
}

function header(batch: RequestBatch, family: number, protocol: number): void {
  batch.u8(family).u8(nl.RT_SCOPE_UNIVERSE).u8(protocol).u8(0).u32(0);
}

/** Fails with EEXIST where the id is taken. */
export function addNextHop(batch: RequestBatch, id: number, hop: Required<NextHop>, protocol: number): void {
  batch.begin(nl.RTM_NEWNEXTHOP, nl.NLM_F_CREATE | nl.NLM_F_EXCL);
  header(batch, addressFamily(hop.gateway), protocol);
  batch.attributeU32(nl.NHA_ID, id).attribute(nl.NHA_GATEWAY, hop.gateway);
  batch.attributeU32(nl.NHA_OIF, hop.interfaceIndex).end();
}

/** A group of objects, of equal weight. */
export function addNextHopGroup(batch: RequestBatch, id: number, members: readonly number[], protocol: number): void {
  batch.begin(nl.RTM_NEWNEXTHOP, nl.NLM_F_CREATE | nl.NLM_F_EXCL);
  header(batch, nl.AF_UNSPEC, protocol);
  batch.attributeU32(nl.NHA_ID, id);
  const group = () => {
    for (const member of members) batch.u32(member).u8(0).u8(0).u16(0);
  };
  batch.nest(nl.NHA_GROUP, group, true).end();
}

/** Routes that use the object go with it. */
export function deleteNextHop(batch: RequestBatch, id: number): void {
  batch.begin(nl.RTM_DELNEXTHOP);
  header(batch, nl.AF_UNSPEC, 0);
  batch.attributeU32(nl.NHA_ID, id).end();
}

export function dumpNextHops(batch: RequestBatch): void {
  batch.begin(nl.RTM_GETNEXTHOP, nl.NLM_F_DUMP);
  header(batch, nl.AF_UNSPEC, 0);
  batch.end();
}

/** Reads RTM_NEWNEXTHOP and RTM_DELNEXTHOP. */
export function readNextHop(payload: Uint8Array): NextHopObject {
  const attributes = attributesIn(payload, NHMSG_LENGTH);
  const group = attributes.get(nl.NHA_GROUP) ?? new Uint8Array(0);
  const gateway = attributes.get(nl.NHA_GATEWAY);
  const interfaceIndex = attributes.get(nl.NHA_OIF);
  const id = attributes.get(nl.NHA_ID);
  return {
    id: id === undefined ? 0 : readU32(id, 0),
    protocol: payload[2] as number,
    hop: {
      ...(gateway === undefined ? {} : { gateway: gateway.slice() }),
      ...(interfaceIndex === undefined ? {} : { interfaceIndex: readU32(interfaceIndex, 0) }),
    },
    members: Array.from({ length: Math.floor(group.length / MEMBER_LENGTH) }, (_, i) =>
      readU32(group, i * MEMBER_LENGTH),
    ),
  };
}
