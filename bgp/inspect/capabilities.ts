/** Capabilities of an OPEN in words. */
import type { Capabilities, GracefulRestart } from "../wire/capability.ts";
import { FAMILY_NAME } from "./names.ts";

/** RFC 9234 4.1. */
const ROLES = ["provider", "rs", "rs-client", "customer", "peer"] as const;

/** `multiprotocol ipv4-unicast`, `four-octet AS 65001`, … in a fixed order. */
export function viewCapabilities(capabilities: Capabilities): string[] {
  const { families, fourOctetAs, gracefulRestart, longLived, addPath, roles } = capabilities;
  return [
    ...families.map((family) => `multiprotocol ${FAMILY_NAME[family]}`),
    ...(capabilities.routeRefresh ? ["route refresh"] : []),
    ...(capabilities.enhancedRefresh ? ["enhanced route refresh"] : []),
    ...(capabilities.extendedMessage ? ["extended message"] : []),
    ...(capabilities.extendedNextHop ? ["extended next hop"] : []),
    ...(fourOctetAs === undefined ? [] : [`four-octet AS ${fourOctetAs}`]),
    ...addPath.map(({ family, send, receive }) => {
      const ways = [...(send ? ["send"] : []), ...(receive ? ["receive"] : [])];
      return `add-path ${FAMILY_NAME[family]} ${ways.join(" and ")}`;
    }),
    ...(gracefulRestart === undefined ? [] : [restartText(gracefulRestart)]),
    ...longLived.map(({ family, staleTime, forwardingPreserved }) => {
      const said = notes([`${staleTime} s`], forwardingPreserved ? ["forwarding kept"] : []);
      return `long-lived graceful restart ${FAMILY_NAME[family]} (${said})`;
    }),
    ...roles.map((role) => `role ${ROLES[role] ?? role}`),
  ];
}

function restartText({ restartTime, restarted, notification, families }: GracefulRestart): string {
  const kept = families
    .filter(({ forwardingPreserved }) => forwardingPreserved)
    .map(({ family }) => FAMILY_NAME[family]);
  const said = [`${restartTime} s`, ...families.map(({ family }) => FAMILY_NAME[family])];
  const more = [
    ...(restarted ? ["restarted"] : []),
    ...(notification ? ["over notifications too"] : []),
    ...(kept.length > 0 ? [`forwarding kept ${kept.join(" ")}`] : []),
  ];
  return `graceful restart (${notes(said, more)})`;
}

function notes(...lists: readonly (readonly string[])[]): string {
  return lists.flat().join(", ");
}
