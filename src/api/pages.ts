/**
 * Long lists of routes as one JSON document, a route a line, made and sent in pages.
 *
 * Between two pages the event loop runs, so that a whole table costs no session its keepalives; and the next page is
 * only made when the other side has room for it, so that a slow reader costs no memory. The list is no snapshot: what
 * changes meanwhile may or may not be in it.
 */
import { setImmediate as turn } from "node:timers/promises";

/** How long a page may be made before the event loop has its turn, and how much text it holds at most. */
export const PAGE_MS = 5;
const PAGE_CHARACTERS = 128 * 1024;

/** `{"routes":[` … `]}`. A batch is made in one go: it should take well under {@link PAGE_MS}. */
export async function* routePages(batches: Iterable<readonly object[]>): AsyncGenerator<string> {
  let text = '{"routes":[';
  let separator = "\n";
  let started = performance.now();
  for (const batch of batches) {
    for (const route of batch) {
      text += separator + JSON.stringify(route);
      separator = ",\n";
    }
    if (performance.now() - started < PAGE_MS && text.length < PAGE_CHARACTERS) continue;
    if (text.length >= PAGE_CHARACTERS) {
      yield text;
      text = "";
    }
    await turn();
    started = performance.now();
  }
  yield `${text}\n]}\n`;
}
