/** Where a password is: never in a resource, always in a Secret of the agent's namespace. */
import { z } from "zod";
import { name, text } from "./fields.ts";
import { shown } from "./problem.ts";

const secretKey = text(
  (value) => {
    if (/^[-._a-zA-Z0-9]{1,253}$/.test(value)) return undefined;
    return `${shown(value)} is not a key of a Secret: 1 to 253 letters, digits, "-", "_" and "."`;
  },
  { pattern: "^[-._A-Za-z0-9]+$", maxLength: 253 },
);

/** `optional` is Kubernetes' field; a session that asks for a password never goes without one, whatever it says. */
export const passwordSource = z.strictObject({
  secretKeyRef: z.strictObject({ name, key: secretKey, optional: z.boolean().exactOptional() }),
});

export type PasswordSource = z.output<typeof passwordSource>;
