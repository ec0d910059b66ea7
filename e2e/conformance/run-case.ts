/** Runs one case on the stand and says in words what was not as it should be. */

import { mpUnreach } from "./attributes.ts";
import type { Case, Expectation, Sight } from "./case.ts";
import { sightProblems } from "./expect-route.ts";
import { update } from "./messages.ts";
import { cat, hex, nlri, type Octets } from "./octets.ts";
import { type PeerName, planOf } from "./peers.ts";
import { prefixesSaid } from "./said.ts";
import type { Session } from "./session.ts";
import type { Stand } from "./stand.ts";
import { openOf } from "./terms.ts";

/** Long enough for a NOTIFICATION that must come. */
const REFUSAL_S = 2;

/** Empty: the speaker did as the case says. */
export async function runCase(stand: Stand, one: Case): Promise<string[]> {
  const run = new Run(stand, one);
  const problems: string[] = [];
  try {
    problems.push(...(await run.play()));
    if (problems.length === 0) await one.script?.(stand);
  } catch (error) {
    problems.push((error as Error).message);
  }
  try {
    await run.tidy(problems.length > 0);
  } catch (error) {
    problems.push(`afterwards: ${(error as Error).message}`);
  }
  return problems;
}

class Run {
  readonly #stand: Stand;
  readonly #case: Case;
  readonly #by: PeerName;
  /** Whose sight is asked for, and the one that speaks. */
  readonly #watching = new Map<PeerName, Session>();
  readonly #announced = new Map<PeerName, string[]>();

  constructor(stand: Stand, one: Case) {
    this.#stand = stand;
    this.#case = one;
    this.#by = one.by ?? "external";
  }

  async play(): Promise<string[]> {
    const { expects, first, also, terms, before } = this.#case;
    for (const sees of [expects?.sees, first]) {
      for (const name of Object.keys(sees ?? {}) as PeerName[]) {
        if (name !== this.#by) this.#watching.set(name, await this.#stand.session(name, terms?.[name]));
      }
    }
    for (const [name, messages] of Object.entries(also ?? {}) as [PeerName, readonly Octets[]][]) {
      const other = await this.#stand.session(name, terms?.[name]);
      this.#tell(name, other, messages);
      if (!(await this.#stand.processed(name, other))) return [`${name} lost its session: ${other.describe()}`];
    }
    if (this.#case.says === undefined && this.#case.open === undefined) return [];
    const session = await this.#stage();
    this.#watching.set(this.#by, session);
    if (before !== undefined) {
      this.#tell(this.#by, session, before);
      if (!(await this.#stand.processed(this.#by, session))) return [`before the case: ${session.describe()}`];
      await this.#settled();
      const wrong = this.#sightProblems(first);
      if (wrong.length > 0) return wrong.map((problem) => `before the case: ${problem}`);
    }
    session.refreshes.length = 0;
    this.#tell(this.#by, session, this.#case.says ?? []);
    const problems = await this.#endProblems(session, expects ?? {});
    await this.#settled();
    return [...problems, ...this.#sightProblems(expects?.sees), ...refreshProblems(session, expects ?? {})];
  }

  /** Takes back what was announced, so that the next case finds nothing of this one. */
  async tidy(failed: boolean): Promise<void> {
    for (const [name, prefixes] of this.#announced) {
      const session = this.#stand.known(name);
      if (session === undefined) continue;
      const reusable = session.terms.addPath === undefined && this.#case.open === undefined && !failed;
      if (reusable && prefixes.length > 0) {
        session.send(...takenBack(prefixes));
        if (await this.#stand.processed(name, session)) continue;
      }
      if (!reusable) await this.#stand.drop(name);
    }
  }

  async #stage(): Promise<Session> {
    const { stage = "established", open } = this.#case;
    const terms = this.#case.terms?.[this.#by] ?? {};
    if (stage === "established") return await this.#stand.session(this.#by, terms, open);
    const session = await this.#stand.greeted(this.#by, terms);
    await session.until("OPEN", () => session.theirOpen !== undefined);
    if (stage === "opened") {
      session.send(open ?? openOf(planOf(this.#by), terms));
      await session.until("KEEPALIVE", () => session.keepalives > 0);
    }
    return session;
  }

  #tell(name: PeerName, session: Session, messages: readonly Octets[]): void {
    const prefixes = messages.flatMap((octets) => prefixesSaid(octets, session.terms));
    this.#announced.set(name, [...(this.#announced.get(name) ?? []), ...prefixes]);
    if (messages.length > 0) session.send(...messages);
  }

  #settled(): Promise<void> {
    const established = (this.#case.stage ?? "established") === "established";
    const watching = [...this.#watching].filter(([name]) => established || name !== this.#by);
    return this.#stand.settled(watching.map(([, session]) => session));
  }

  #sightProblems(sees: Partial<Record<PeerName, Sight>> | undefined): string[] {
    return Object.entries(sees ?? {}).flatMap(([name, sight]) =>
      sightProblems(name, this.#watching.get(name as PeerName) as Session, sight),
    );
  }

  /** Whether the session went on, or ended as it should. */
  async #endProblems(session: Session, expected: Expectation): Promise<string[]> {
    const established = (this.#case.stage ?? "established") === "established";
    const stays = established ? await this.#stand.processed(this.#by, session) : !(await session.ended(REFUSAL_S));
    const resets = expected.reset === undefined ? [] : [expected.reset].flat();
    const mustEnd = resets.length > 0 || expected.closed !== undefined;
    const wanted = resets.length > 0 ? `NOTIFICATION ${resets.join(" or ")}` : mustEnd ? "a close" : "a session";
    const wrong = [`expected ${wanted}: ${session.describe()}`];
    if (stays === mustEnd) return wrong;
    if (stays) return [];
    const { what = "", data = cat() } = session.notification ?? {};
    if (what === "" ? expected.closed === undefined : !resets.includes(what)) return wrong;
    if (expected.data === undefined || hex(expected.data) === hex(data)) return [];
    return [`expected NOTIFICATION data ${hex(expected.data)}: ${session.describe()}`];
  }
}

function refreshProblems(session: Session, { refreshes }: Expectation): string[] {
  if (refreshes === undefined) return [];
  const heard = session.refreshes.map(({ afi, subtype }) => `${afi}/${subtype}`).join(" ");
  const wanted = refreshes.map((pair) => pair.join("/")).join(" ");
  return heard === wanted ? [] : [`heard ROUTE-REFRESH ${heard || "never"}, expected ${wanted || "none"}`];
}

function takenBack(prefixes: readonly string[]): Octets[] {
  const of = (six: boolean) => prefixes.filter((text) => text.includes(":") === six).map((text) => nlri(text));
  const [four, six] = [of(false), of(true)];
  return [
    ...(four.length > 0 ? [update({ withdrawn: four })] : []),
    ...(six.length > 0 ? [update({ attributes: [mpUnreach(2, six)] })] : []),
  ];
}
