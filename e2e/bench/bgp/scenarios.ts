/** What is measured. The letters are those of the results; the sizes are fixed so that results can be compared. */

export interface Scenario {
  readonly letter: string;
  readonly title: string;
  readonly senders: number;
  /** That each sender announces. */
  readonly prefixes: number;
  /** All senders announce the same prefixes. */
  readonly same: boolean;
  /** iBGP: every peer is a client of the device, which reflects; /26 blocks, one UPDATE a sender. */
  readonly reflector: boolean;
  /** The senders receive, too. */
  readonly allToAll: boolean;
  /** After convergence the sender with the best paths goes away; the time until all is right again counts. */
  readonly bestDies: boolean;
  /** The routes go to the kernel, and nobody receives them. */
  readonly kernel: boolean;
  /** Sessions do nothing for so many seconds; 0: routes are sent. */
  readonly idleSeconds: number;
  /** All sessions are dialled in the same moment, and that is when the clock starts. */
  readonly rush: boolean;
  /** Sessions with a keepalive a second that watch whether the device's keepalives come in time. */
  readonly watchers: number;
  readonly holdTime: number;
}

const PLAIN: Omit<Scenario, "letter" | "title"> = {
  senders: 1,
  prefixes: 100_000,
  same: false,
  reflector: false,
  allToAll: false,
  bestDies: false,
  kernel: false,
  idleSeconds: 0,
  rush: false,
  watchers: 0,
  holdTime: 180,
};
const REFLECTED = { ...PLAIN, senders: 500, prefixes: 10, reflector: true };

export const SCENARIOS: readonly Scenario[] = [
  { ...PLAIN, letter: "a", title: "1 sender x 100k" },
  { ...PLAIN, letter: "b", title: "1 x 500k", prefixes: 500_000 },
  { ...PLAIN, letter: "c", title: "1 x 1M", prefixes: 1_000_000, watchers: 4 },
  { ...PLAIN, letter: "d", title: "10 x the same 100k", senders: 10, same: true },
  { ...PLAIN, letter: "e", title: "10 x 100k, all different", senders: 10 },
  { ...PLAIN, letter: "g", title: "as d, then the best of them dies", senders: 10, same: true, bestDies: true },
  { ...REFLECTED, letter: "f", title: "500 clients x 10 blocks, reflected to one" },
  { ...REFLECTED, letter: "F", title: "500 clients x 10 blocks, all to all", allToAll: true },
  { ...REFLECTED, letter: "k", title: "as F, all 501 dial at once", allToAll: true, rush: true },
  { ...PLAIN, letter: "j", title: "500k learned and in the kernel", prefixes: 500_000, kernel: true },
  { ...REFLECTED, letter: "i", title: "500 idle sessions for 30 s", prefixes: 0, idleSeconds: 30, holdTime: 90 },
  { ...PLAIN, letter: "s", title: "the generator itself, 1M", prefixes: 1_000_000 },
];

/** The same with a share of the prefixes: to try things out. */
export function scaled(scenario: Scenario, scale: number): Scenario {
  return { ...scenario, prefixes: Math.ceil(scenario.prefixes * scale) };
}
