/** What a lab could leave on the machine itself: namespaces, links, addresses, routes, firewall, processes, files. */
import { existsSync } from "node:fs";
import { must } from "./command.ts";

export async function rootOf(lab: string): Promise<Readonly<Record<string, unknown>>> {
  const [namespaces, links, addresses, routes, routes6, rules, processes] = await Promise.all([
    must(["ip", "netns", "list"]),
    must(["ip", "-o", "link", "show"]),
    must(["ip", "-o", "address", "show"]),
    must(["ip", "route", "show", "table", "all"]),
    must(["ip", "-6", "route", "show", "table", "main"]),
    must(["nft", "list", "ruleset"]),
    must(["ps", "-eo", "args"]),
  ]);
  return {
    namespaces: namespaces.split("\n").filter((line) => line.startsWith(`ovl-${lab}-`)),
    links: lines(links, /^\d+: ([^:]+)/),
    addresses: lines(addresses, /^\d+: (\S+ +inet6? \S+)/),
    routes,
    routes6: lines(routes6, /^(.*?)(?: expires|$)/),
    rules,
    processes: processes.split("\n").filter((line) => line.includes(`overland-lab/${lab}/`)),
    files: [`/run/overland-lab/${lab}`, `/var/lib/overland-lab/${lab}`].filter((path) => existsSync(path)),
  };
}

/** Without counters and lifetimes, which change by themselves. */
function lines(text: string, part: RegExp): string[] {
  return text.split("\n").flatMap((line) => part.exec(line)?.[1] ?? []);
}
