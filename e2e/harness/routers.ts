/** Routers asked as their operators ask them. */
import type { RouterStatus } from "../../src/lab/status.ts";
import { must } from "./command.ts";

type Control = Pick<RouterStatus, "control">;

export const birdc = (router: Control, ...words: readonly string[]): Promise<string> =>
  must(["birdc", "-s", router.control, words.join(" ")], { timeoutMs: 5000 });

export const vtysh = (router: Control, ...lines: readonly string[]): Promise<string> =>
  must(["vtysh", "--vty_socket", router.control, "-d", "bgpd", ...lines.flatMap((line) => ["-c", line])], {
    timeoutMs: 5000,
  });

/** Prefixes that BIRD has, from whoever; both families. */
export async function birdPrefixes(router: Control, ...where: readonly string[]): Promise<string[]> {
  const text = await birdc(router, "show route", ...where);
  return [...text.matchAll(/^(\S+\/\d+)\s/gm)].map(([, prefix]) => prefix as string);
}

/** BIRD's word for a protocol's session: "Established", "Idle", … */
export async function birdSession(router: Control, protocol: string): Promise<string> {
  const text = await birdc(router, "show protocols all", protocol);
  return /BGP state:\s+(\S+)/.exec(text)?.[1] ?? "";
}

/** Prefixes that a router of either kind has in its BGP tables. */
export async function routerPrefixes(router: RouterStatus): Promise<string[]> {
  if (router.daemon === "bird") return await birdPrefixes(router);
  const tables = ["ipv4", "ipv6"].map((family) => vtysh(router, `show bgp ${family} unicast json`));
  return (await Promise.all(tables)).flatMap((text) =>
    Object.keys((JSON.parse(text) as { routes?: object }).routes ?? {}),
  );
}
