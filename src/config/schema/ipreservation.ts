/** IPReservation: addresses that are given out only to those who ask for exactly them. */
import { z } from "zod";
import { parseAddress } from "../../../ipam/net/address.ts";
import { readCidr } from "../../../ipam/net/cidr.ts";
import { text } from "./fields.ts";
import { shown } from "./problem.ts";

const addressOrCidr = text(
  (value) => {
    if (parseAddress(value) !== undefined) return undefined;
    if (!value.includes("/")) return `${shown(value)} is neither an address nor a CIDR such as 10.244.0.0/30`;
    const result = readCidr(value);
    return "error" in result ? `${shown(value)} ${result.error}` : undefined;
  },
  { pattern: "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", maxLength: 49 },
);

export const ipReservationSchema = z.strictObject({
  /** CIDRs or single addresses, both families mixed. */
  reservedCIDRs: z.array(addressOrCidr).max(5000).default([]),
});

export type IPReservationSpec = z.output<typeof ipReservationSchema>;
