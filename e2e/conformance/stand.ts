/**
 * The test stand: one speaker under test and the testers around it.
 *
 * Nothing is judged by time. When a session has said something, it announces a marker; the tester `clock` sees it come
 * out, then announces one that everybody waits for: whatever was to be heard has been heard by then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { familiesOf, hasMarker, markers } from "./markers.ts";
import { keepalive } from "./messages.ts";
import type { Network } from "./network.ts";
import type { Octets } from "./octets.ts";
import { address4, endOf, PEER_NAMES, type PeerName, planOf, SUBJECT } from "./peers.ts";
import { Session } from "./session.ts";
import { openOf, type Terms } from "./terms.ts";

const KEEPALIVE_EVERY_MS = 30_000;
const PATIENCE_S = 5;

export class Stand {
  readonly network: Network;
  readonly #sessions = new Map<PeerName, Session>();
  readonly #incoming = new Map<PeerName, readonly Session[]>();
  readonly #keepalives: NodeJS.Timeout;
  #moment = 0;

  constructor(network: Network) {
    this.network = network;
    for (const name of PEER_NAMES) {
      const { host, dialledOn } = planOf(name);
      if (dialledOn !== undefined) network.listen(address4(host), dialledOn, (id) => this.#dialled(name, id));
    }
    this.#keepalives = setInterval(() => {
      for (const session of this.#sessions.values()) if (!session.closed) session.send(keepalive());
    }, KEEPALIVE_EVERY_MS);
  }

  /** Connections the speaker has opened to that neighbour, the latest one last. */
  dialledTo(name: PeerName): readonly Session[] {
    return this.#incoming.get(name) ?? [];
  }

  #dialled(name: PeerName, id: string): Session {
    const session = new Session(this.network, {}).accept(id);
    this.#incoming.set(name, [...this.dialledTo(name), session]);
    this.network.bell.ring();
    return session;
  }

  stop(): void {
    clearInterval(this.#keepalives);
    this.network.stop();
  }

  /** A TCP connection from that neighbour's address with nothing said yet; its session from now on. */
  async connect(name: PeerName, terms: Terms = {}): Promise<Session> {
    await this.drop(name);
    const session = new Session(this.network, terms);
    const plan = planOf(name);
    session.dial(endOf(plan.host, plan), endOf(SUBJECT.host, plan), SUBJECT.port);
    this.#sessions.set(name, session);
    await session.until("TCP connection", () => session.connected);
    return session;
  }

  /** An established session on these terms: the one there is, or a new one. */
  async session(name: PeerName, terms: Terms = {}, open?: Octets): Promise<Session> {
    const known = this.known(name);
    const same = known !== undefined && JSON.stringify(known.terms) === JSON.stringify(terms);
    if (same && open === undefined && known.established && known.problem === "") return known;
    const session = await this.greeted(name, terms);
    session.send(open ?? openOf(planOf(name), terms));
    await session.confirm();
    if (name !== "clock") await this.settled([session]);
    return session;
  }

  /**
   * The speaker has taken the connection and said its OPEN. It may want a rest after an error first (RFC 4271 8.1.1,
   * DampPeerOscillations): refused, the tester tries again.
   */
  async greeted(name: PeerName, terms: Terms = {}): Promise<Session> {
    const deadline = performance.now() + PATIENCE_S * 1000;
    for (;;) {
      const session = await this.connect(name, terms);
      const greeted = await session.sees(() => session.theirOpen !== undefined);
      if (greeted || session.notification !== undefined || performance.now() > deadline) return session;
      await sleep(50);
    }
  }

  /** The session with that neighbour, while it lasts. */
  known(name: PeerName): Session | undefined {
    const session = this.#sessions.get(name);
    return session?.closed ? undefined : session;
  }

  /** Ends what there is with that neighbour. */
  async drop(name: PeerName): Promise<void> {
    const session = this.known(name);
    this.#sessions.delete(name);
    if (session === undefined) return;
    session.end();
    if (!(await session.ended(1))) session.reset();
  }

  /** Everything the session has said has been dealt with; false: the session ended first. */
  async processed(name: PeerName, session: Session): Promise<boolean> {
    const clock = await this.session("clock");
    const moment = ++this.#moment;
    session.send(...markers(planOf(name), session.terms, moment));
    const seen = () => familiesOf(session.terms).every((afi) => hasMarker(clock, planOf(name), afi, moment));
    if (!(await this.network.bell.until(() => seen() || session.closed, PATIENCE_S))) {
      throw new Error(`neither did the marker come out nor the session end: ${clock.problem}`);
    }
    return !session.closed;
  }

  /** Everything that was decided until now has reached these sessions. */
  async settled(sessions: readonly Session[]): Promise<void> {
    const clock = await this.session("clock");
    const moment = ++this.#moment;
    clock.send(...markers(planOf("clock"), {}, moment));
    const late = (session: Session) =>
      !session.closed && !familiesOf(session.terms).every((afi) => hasMarker(session, planOf("clock"), afi, moment));
    if (await this.network.bell.until(() => !sessions.some(late), PATIENCE_S)) return;
    const who = sessions.find(late);
    throw new Error(`the clock's marker did not come: ${who?.problem || who?.describe()}; clock: ${clock.describe()}`);
  }
}
