/** A selection read page by page: at no time is more than one page held as it came. */
import { call } from "./calls.ts";
import { selectionPath, typeName } from "./paths.ts";
import { ClusterError, type KubeObject, type Selection } from "./port.ts";
import type { Asked } from "./refusal.ts";
import type { Transport } from "./transport.ts";

const FIRST_LIMIT = 50;
/** What a page should weigh, as long as it is held: nodes have 20 kB each, slices a few. */
const PAGE_BYTES = 256 << 10;
const LARGEST_LIMIT = 5_000;
const PAGE_WITHIN_MS = 60_000;
/** Continue tokens that expire in a row until all is asked for at once. */
const EXPIRED_AT_MOST = 2;

export interface ListReader {
  /** Before the first item, and again when it has to begin anew. */
  begin(): void;
  item(object: KubeObject): void;
}

interface ListDocument {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[] | null;
}

/** Resolves to the version that all of it was read at. */
export async function listPages(
  transport: Transport,
  selection: Selection,
  signal: AbortSignal,
  reader: ListReader,
): Promise<string> {
  const asked: Asked = { verb: "list", type: selection.type, what: selectedWords(selection) };
  for (let expired = 0; ; expired++) {
    reader.begin();
    let limit = FIRST_LIMIT;
    let token: string | undefined;
    try {
      for (;;) {
        const paging = expired > EXPIRED_AT_MOST ? {} : { limit: String(limit), continue: token };
        const request = { method: "GET", path: selectionPath(selection, paging) } as const;
        const { value, bytes } = await call(transport, asked, request, { withinMs: PAGE_WITHIN_MS, signal });
        const { metadata = {}, items } = value as ListDocument;
        for (const item of items ?? []) reader.item(item);
        if (metadata.continue === undefined || metadata.continue === "") return metadata.resourceVersion ?? "";
        token = metadata.continue;
        limit = nextLimit(items?.length ?? 0, bytes);
      }
    } catch (error) {
      // The token's version is gone: another would go on at a newer one and miss what changed in between.
      const isOver = token !== undefined && error instanceof ClusterError && error.status === 410;
      if (!isOver || expired > EXPIRED_AT_MOST) throw error;
    }
  }
}

function nextLimit(items: number, bytes: number): number {
  const fitting = Math.floor((PAGE_BYTES * Math.max(1, items)) / Math.max(1, bytes));
  return Math.min(LARGEST_LIMIT, Math.max(10, fitting));
}

/** The newest version of the server, at the cost of one object. */
export async function newestVersion(transport: Transport, selection: Selection, signal: AbortSignal): Promise<string> {
  const asked: Asked = { verb: "list", type: selection.type, what: selectedWords(selection) };
  const request = { method: "GET", path: selectionPath(selection, { limit: "1" }) } as const;
  const { value } = await call(transport, asked, request, { signal });
  return (value as ListDocument).metadata?.resourceVersion ?? "";
}

/** `pods (spec.nodeName=a)`, `secrets in overland-system`. */
export function selectedWords({ type, namespace, labelSelector, fieldSelector }: Selection): string {
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  const which = [labelSelector, fieldSelector].filter((part) => part !== undefined).join(", ");
  return `${typeName(type)}${where}${which === "" ? "" : ` (${which})`}`;
}
