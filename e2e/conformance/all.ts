/** Every case there is. */
import type { Case } from "./case.ts";
import { RFC1997, RFC4360, RFC8092, RFC8326 } from "./cases/communities.ts";
import { CONNECTIONS } from "./cases/connections.ts";
import { RFC4724, RFC9494 } from "./cases/graceful-restart.ts";
import { RFC8654, RFC8950 } from "./cases/long-messages.ts";
import { REFRESH } from "./cases/refresh.ts";
import { RFC4271_ATTRIBUTES } from "./cases/rfc4271-attributes.ts";
import { RFC4271_DECISION } from "./cases/rfc4271-decision.ts";
import { RFC4271_MESSAGES } from "./cases/rfc4271-messages.ts";
import { RFC4271_OPEN } from "./cases/rfc4271-open.ts";
import { RFC4456, RFC7947 } from "./cases/rfc4456.ts";
import { RFC4760 } from "./cases/rfc4760.ts";
import { RFC6793, RFC7607, RFC9774 } from "./cases/rfc6793.ts";
import { RFC7606_FLAGS, RFC7606_STRUCTURE } from "./cases/rfc7606-structure.ts";
import { RFC7606_ATTRIBUTES } from "./cases/rfc7606-values.ts";
import { RFC7911 } from "./cases/rfc7911.ts";
import { RFC9234 } from "./cases/rfc9234.ts";

/** By what they are about, in the order in which they run: what ends sessions comes late. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  "path attributes (RFC 4271)": RFC4271_ATTRIBUTES,
  "decision and dissemination (RFC 4271)": RFC4271_DECISION,
  "revised error handling: values (RFC 7606)": RFC7606_ATTRIBUTES,
  "revised error handling: flags (RFC 7606)": RFC7606_FLAGS,
  "revised error handling: structure (RFC 7606)": RFC7606_STRUCTURE,
  "both families (RFC 4760, 2545)": RFC4760,
  "two-octet peers (RFC 6793)": RFC6793,
  "AS 0 (RFC 7607)": RFC7607,
  "sets in a path (RFC 9774)": RFC9774,
  "well-known communities (RFC 1997)": RFC1997,
  "graceful shutdown (RFC 8326)": RFC8326,
  "large communities (RFC 8092)": RFC8092,
  "extended communities (RFC 4360, 5701)": RFC4360,
  "roles and Only to Customer (RFC 9234)": RFC9234,
  "reflection (RFC 4456)": RFC4456,
  "route server (RFC 7947)": RFC7947,
  "add-path (RFC 7911)": RFC7911,
  "route refresh (RFC 2918, 7313)": REFRESH,
  "long messages (RFC 8654)": RFC8654,
  "extended next hop (RFC 8950)": RFC8950,
  "graceful restart (RFC 4724, 8538)": RFC4724,
  "long-lived graceful restart (RFC 9494)": RFC9494,
  "messages (RFC 4271, 6608, 9003)": RFC4271_MESSAGES,
  "OPEN and capabilities (RFC 4271, 5492, 6286, 9072)": RFC4271_OPEN,
  "connections (RFC 4271)": CONNECTIONS,
};
