/** The body of a watch: chunked JSON lines, and nothing at all while nothing happens. */
import type { ServerResponse } from "node:http";
import type { StreamFaults } from "./faults.ts";

/** A reader that is this far behind is cut off, as the API server does with its slow watchers. What a watch begins with
 * is written at once here, and the slices of a large cluster are 70 MB. */
const MOST_BUFFERED = 256 * 1024 * 1024;

export class LineStream {
  readonly #response: ServerResponse;
  readonly #faults: StreamFaults;
  readonly #closed: (() => void)[] = [];
  #ended = false;

  constructor(response: ServerResponse, faults: StreamFaults) {
    this.#response = response;
    this.#faults = faults;
  }

  open(): void {
    this.#response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    this.#response.flushHeaders();
    this.#response.on("close", () => {
      this.#ended = true;
      for (const tell of this.#closed.splice(0)) tell();
    });
  }

  onClose(tell: () => void): void {
    this.#closed.push(tell);
  }

  write(line: string, isChange = false): void {
    if (this.#ended) return;
    if (this.#faults.held(() => this.write(line, isChange))) return;
    if (isChange && this.#faults.cutsNext()) {
      this.#ended = true;
      this.#response.write(line.slice(0, Math.ceil(line.length / 2)), () => this.#response.destroy());
      return;
    }
    this.#response.write(line);
    if (isChange && this.#faults.closesAfterEach()) this.end();
    else if (this.#response.writableLength > MOST_BUFFERED) this.#response.destroy();
  }

  end(): void {
    if (this.#ended) return;
    if (this.#faults.held(() => this.end())) return;
    this.#ended = true;
    this.#response.end();
  }
}
