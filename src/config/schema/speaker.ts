/** The file of `overland speaker`. */
import { z } from "zod";
import { readPeerAddress } from "../peer-address.ts";
import { bgpFilterSchema } from "./bgpfilter.ts";
import { asNumber, cidr, communityFault, name, port, text, whole } from "./fields.ts";
import { shown } from "./problem.ts";
import { identifier, listenAddress } from "./speaker-fields.ts";
import { speakerPeerSchema } from "./speaker-peer.ts";

// sockaddr_un has 108 octets, the last of them zero.
const socketPath = text((value) => {
  if (!value.startsWith("/")) return `${shown(value)} is not an absolute path`;
  const { length } = new TextEncoder().encode(value);
  return length > 107 ? `${shown(value)} is ${length} octets long; a unix socket's path has at most 107` : undefined;
});

const httpAddress = text((value) =>
  value === "off" || readPeerAddress(value)?.port !== undefined
    ? undefined
    : `${shown(value)} is not an address and a port such as 127.0.0.1:9179 or [::1]:9179, nor "off"`,
);

const communityName = text((value) => {
  if (value === "" || value.length > 253) return `${shown(value)} is not a name: 1 to 253 characters`;
  return communityFault(value) === undefined ? `${shown(value)} is a community itself; it needs no name` : undefined;
});

export const speakerSchema = z.strictObject({
  asNumber,
  /** An IPv4 address of the machine when not given. */
  routerID: identifier.exactOptional(),
  /** Every address and port 179 when not given; an empty list: nowhere. */
  listen: z
    .array(z.strictObject({ address: listenAddress.exactOptional(), port: port.exactOptional() }))
    .exactOptional(),
  peers: z.array(speakerPeerSchema).exactOptional(),
  /** Prefixes to originate. */
  networks: z.array(cidr).exactOptional(),
  /** Of BGPFilter's spec, with a name for peers to call them by. */
  filters: z.array(bgpFilterSchema.extend({ name })).exactOptional(),
  /** Names for communities, to be used in prefixAdvertisements. */
  communities: z
    .array(z.strictObject({ name: communityName, value: text(communityFault) }))
    .max(500)
    .exactOptional(),
  /** Routes inside cidr are announced with these communities: values, or names of them. */
  prefixAdvertisements: z
    .array(z.strictObject({ cidr, communities: z.array(z.string()).max(50).exactOptional() }))
    .max(500)
    .exactOptional(),
  /** RFC 8212. */
  ebgpRequiresPolicy: z.boolean().exactOptional(),
  /** How many equally good paths go to the kernel: a number, or true for 16, false for 1. */
  multipath: z
    .union([z.boolean(), whole(1, 256)], {
      error: (issue) => `${shown(issue.input)} is not true, false or a number of paths from 1 to 256`,
    })
    .exactOptional(),
  /** RFC 4271 9.1.2.2 c: MED between paths of one neighbouring AS, or of all. */
  compareMED: z.enum(["SameAS", "Always"]).exactOptional(),
  /** What a path without MED counts as. */
  missingMED: z.enum(["Best", "Worst"]).exactOptional(),
  kernel: z
    .strictObject({ install: z.boolean().exactOptional(), table: whole(1, 0xffffffff).exactOptional() })
    .exactOptional(),
  api: z.strictObject({ socket: socketPath.exactOptional(), http: httpAddress.exactOptional() }).exactOptional(),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).exactOptional(),
      file: text((value) => (value === "" ? "is empty; give a path" : undefined)).exactOptional(),
    })
    .exactOptional(),
});

/** As the file has it, with times in seconds and AS numbers as numbers: plain data throughout. */
export type SpeakerConfig = z.output<typeof speakerSchema>;
