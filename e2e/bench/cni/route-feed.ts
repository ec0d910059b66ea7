/** A real BIRD with 100,000 routes, which it announces and withdraws when told to. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const ROUTES = 100_000;
const PATIENCE_MS = 30_000;

export class RouteFeed {
  readonly #netns: string;
  readonly #control: string;
  readonly command: readonly string[];

  constructor(folder: string, netns: string) {
    this.#netns = netns;
    this.#control = join(folder, "bird.ctl");
    const [file, routes] = [join(folder, "bird.conf"), join(folder, "routes.conf")];
    const prefix = (n: number) => `${20 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}.0/24`;
    writeFileSync(routes, Array.from({ length: ROUTES }, (_, n) => `route ${prefix(n)} blackhole;`).join("\n"));
    writeFileSync(
      file,
      `router id 10.1.1.254;
log stderr { warning, error, fatal, bug };
protocol device { }
protocol static feed {
  disabled; ipv4;
include "${routes}";
}
protocol bgp node { local 10.1.1.254 as 65001; neighbor 10.1.1.1 as 64512; connect retry time 1;
  ipv4 { import none; export all; next hop self; }; }
`,
    );
    this.command = ["bird", "-f", "-c", file, "-s", this.#control, "-P", join(folder, "bird.pid")];
  }

  async established(): Promise<void> {
    await this.#until("the session with BIRD", () => this.#ask("show protocols node").includes("Established"));
  }

  /** Announces and withdraws all of them, again and again, until the returned function is called and awaited. */
  flood(): () => Promise<void> {
    const stopped = new AbortController();
    const done = (async () => {
      while (!stopped.signal.aborted) {
        for (const what of ["enable", "disable"]) {
          this.#ask(`${what} feed`);
          await new Promise((resolve) => setTimeout(resolve, what === "enable" ? 1500 : 500));
        }
      }
    })();
    return async () => {
      stopped.abort();
      await done;
    };
  }

  #ask(...words: string[]): string {
    const args = [`--net=/run/netns/${this.#netns}`, "birdc", "-s", this.#control, ...words.join(" ").split(" ")];
    try {
      return execFileSync("nsenter", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    } catch {
      return "";
    }
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`${what} did not come about in ${PATIENCE_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
