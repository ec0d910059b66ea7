/** A report of `overland ipam check` read back from a file: the part of it that can be released. */
import { z } from "zod";
import type { Leak } from "../../../ipam/leaks.ts";
import { parseAddress } from "../../../ipam/net/address.ts";
import { formatPrefix, parsePrefix } from "../../../ipam/net/prefix.ts";

/** Why a block is not needed once no address of it is in use. */
const STRAY = ["its node does not exist", "it is in no pool"] as const;

export interface StrayBlock {
  readonly cidr: string;
  readonly node: string;
  readonly why: (typeof STRAY)[number];
}

export interface ReadReport {
  readonly leaks: readonly Leak[];
  readonly strayBlocks: readonly StrayBlock[];
}

const address = z.string().transform((text, context) => parseAddress(text) ?? unreadable(context));
const prefix = z.string().transform((text, context) => parsePrefix(text) ?? unreadable(context));

const leakSchema = z
  .object({
    handle: z.string(),
    handleRevision: z.string().regex(/^\d+$/).transform(BigInt),
    addresses: z.array(z.object({ ip: address, block: prefix, at: z.number().exactOptional() })),
    nodes: z.array(z.string()),
    namespace: z.string().exactOptional(),
    pod: z.string().exactOptional(),
    why: z.string(),
    ownerGone: z.boolean(),
  })
  .transform(({ addresses, ...rest }): Leak => {
    return { ...rest, addresses: addresses.map(({ ip, ...held }) => ({ address: ip, ...held })) };
  });

const reportSchema = z.object({
  leaks: z.array(leakSchema),
  strayBlocks: z.array(
    z.object({
      cidr: prefix.transform(formatPrefix),
      node: z.string(),
      why: z.enum(STRAY),
    }),
  ),
});

function unreadable(context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message: "cannot be read" });
  return z.NEVER;
}

/** The first problem in words: where, and what. */
export function checkReport(value: unknown): ReadReport | { readonly problem: string } {
  const parsed = reportSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return { problem: `${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}` };
}
