/** What the agent answers about services: why each address is announced by this node, or not. */
import { type Address, parseAddress } from "../../ipam/net/address.ts";
import { formatPrefix, hostPrefix, type Prefix, parsePrefix } from "../../ipam/net/prefix.ts";
import type { Handler, Routes } from "../api/server.ts";
import type { ServiceView } from "../services/services.ts";
import type { ServiceRoutes } from "./services.ts";

const EXPLAIN = "GET /v1/bgp/explain";

/** The speaker's own pages, with what is known of services added. */
export function servicePages(services: ServiceRoutes, speaker: Routes): Routes {
  return {
    ...speaker,
    "GET /v1/services": (_body, { query }) => {
      const of = query.get("of") ?? "";
      const body = { problems: services.problems, services: [...views(services.view(), of)].map(viewText) };
      return { status: 200, body };
    },
    [EXPLAIN]: withServices(services, speaker[EXPLAIN] as Handler),
  };
}

function withServices(services: ServiceRoutes, explain: Handler): Handler {
  return async (body, asked) => {
    const reply = await explain(body, asked);
    const prefix = prefixAsked(asked.query.get("prefix") ?? "");
    if (reply.status !== 200 || prefix === undefined) return reply;
    const words = services.explain(prefix);
    return words.length === 0 ? reply : { ...reply, body: { ...(reply.body as object), services: words } };
  };
}

function prefixAsked(text: string): Prefix | undefined {
  const address: Address | undefined = parseAddress(text);
  return address === undefined ? parsePrefix(text) : hostPrefix(address);
}

/** By `namespace/name`, namespace (`shop/`), name or address; "": all. */
function* views(all: Iterable<ServiceView>, of: string): Generator<ServiceView> {
  for (const view of all) {
    const { service, verdicts } = view;
    const named = service === of || service.endsWith(`/${of}`) || (of.endsWith("/") && service.startsWith(of));
    if (of === "" || named || verdicts.some(({ address }) => address === of)) yield view;
  }
}

function viewText({ verdicts, ...rest }: ServiceView): object {
  const addresses = verdicts.map(({ kind, address, prefix, within, why }) => ({
    kind,
    address,
    announced: prefix !== undefined,
    ...(within !== undefined && { within: formatPrefix(within) }),
    why,
  }));
  return { ...rest, addresses };
}
