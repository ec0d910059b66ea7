/** Addresses of this machine that belong to no network: on lo, answered at, never spoken from by themselves. */
import { type Address, formatAddress, sameAddress } from "../../ipam/net/address.ts";
import { listLinks } from "./links.ts";
import { addQuietAddress, deleteAddress } from "./netlink/address.ts";
import { RequestBatch } from "./netlink/batch.ts";
import { NetlinkSocket } from "./netlink/socket.ts";

const LOOPBACK_INDEX = 1;

/** Whether some link of the namespace has the address. */
export function hasAddress(address: Address, netns?: string): boolean {
  return listLinks(netns).some(({ addresses }) => addresses.some((one) => sameAddress(one.address, address)));
}

/** Throws with the kernel's word, also where lo has it already. */
export function putOnLoopback(address: Address, netns?: string): void {
  execute(`${formatAddress(address)} cannot be put on lo`, netns, (batch) =>
    addQuietAddress(batch, LOOPBACK_INDEX, address),
  );
}

/** Nothing where it is not there. */
export function takeFromLoopback(address: Address, netns?: string): void {
  execute(
    `${formatAddress(address)} cannot be taken from lo`,
    netns,
    (batch) => deleteAddress(batch, LOOPBACK_INDEX, address),
    "EADDRNOTAVAIL",
  );
}

function execute(what: string, netns: string | undefined, request: (batch: RequestBatch) => void, fine?: string): void {
  const netlink = NetlinkSocket.open(netns);
  try {
    const batch = new RequestBatch();
    request(batch);
    const [refused] = netlink.execute(batch);
    if (refused !== undefined && refused.errno !== fine) throw new Error(`${what}: ${refused.errno}`);
  } finally {
    netlink.close();
  }
}
