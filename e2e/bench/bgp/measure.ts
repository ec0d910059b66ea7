/** One run, seen from the generator: sessions up, routes out, wait, look, withdraw; the clock and the costs of each. */
import { DEVICE, peersOf } from "./addresses.ts";
import { untilRight } from "./converge.ts";
import { dialAll } from "./dial.ts";
import type { Job, Outcome } from "./job.ts";
import { KeepaliveWatch, WATCHER_HOLD_TIME } from "./keepalive-watch.ts";
import { auditRoutes, countRoutes, untilCount } from "./kernel-routes.ts";
import { endOfRib } from "./message.ts";
import { costOf, machineCpu, processTree } from "./processes.ts";
import { Recording } from "./recording.ts";
import { Routes } from "./routes.ts";
import { Session } from "./session.ts";
import { encodeStream, type Stream } from "./stream.ts";
import { View } from "./view.ts";

const SETTLE_MS = 1000;
const AT_ONCE = 4;
/** A keepalive that was due in the last moment must still be seen. */
const LAST_KEEPALIVE_MS = 1500;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Measurement {
  readonly #job: Job;
  readonly #routes: Routes;
  readonly #streams: readonly Stream[];
  readonly #recording = new Recording();
  readonly #view: View;
  readonly #sessions: readonly Session[];
  readonly #watches = new Map<Session, KeepaliveWatch>();
  readonly #keepalives: NodeJS.Timeout[] = [];
  #lost: string | undefined;
  #outcome: Outcome = {};

  /** Everything that takes time before a clock starts. */
  constructor(job: Job) {
    const { scenario, seed } = job;
    this.#job = job;
    this.#routes = new Routes(scenario, seed);
    const peers = peersOf(scenario);
    this.#sessions = peers.map((peer, number) => this.#session(peer, number));
    const senders = peers.slice(0, scenario.senders);
    const internal = scenario.reflector;
    this.#streams = senders.map((sender, i) => encodeStream(this.#routes, i, { sender, internal, seed }));
    const receivers = peers.flatMap((peer, session) =>
      peer.announce ? [{ session, sender: peer.role === "sender" ? session : undefined }] : [],
    );
    const prepended = job.nature === "speaker" && !internal ? DEVICE.asNumber : undefined;
    this.#view = new View({ routes: this.#routes, receivers, prepended, internal });
    const total = this.#streams.reduce((sum, { announce }) => sum + announce.length, 0);
    this.#recording.reserve(total * (scenario.allToAll ? scenario.senders : 1) * 1.5);
  }

  async run(): Promise<Outcome> {
    try {
      if (this.#job.scenario.idleSeconds > 0) await this.#idle();
      else if (this.#job.scenario.rush) await this.#rush();
      else await this.#converge();
    } catch (error) {
      this.#note({ wrong: (error as Error).message });
    } finally {
      for (const timer of this.#keepalives) clearInterval(timer);
      for (const session of this.#sessions) session.close();
    }
    return this.#outcome;
  }

  #note(outcome: Outcome): void {
    this.#outcome = { ...this.#outcome, ...outcome };
  }

  async #idle(): Promise<void> {
    await this.#establish();
    await pause(SETTLE_MS);
    await this.#timed(() => pause(this.#job.scenario.idleSeconds * 1000).then(() => performance.now()));
    this.#check();
  }

  async #rush(): Promise<void> {
    this.#view.want(this.#routes.shortest(0));
    await this.#timed(async () => {
      const sendWhenUp = this.#sessions.map(async (session, i) => {
        await dialAll([session], 1, this.#deadline());
        const stream = this.#streams[i];
        if (stream !== undefined) await session.send(stream.announce);
      });
      this.#keepAlive();
      await Promise.all(sendWhenUp);
      return this.#untilRight();
    });
    await this.#withdraw(0);
  }

  async #converge(): Promise<void> {
    const { scenario, nature } = this.#job;
    await this.#establish();
    await pause(SETTLE_MS);
    const { residentKb } = costOf(processTree(this.#job.pids));
    const routesBefore = scenario.kernel ? this.#countRoutes() : 0;
    this.#note({ idleKb: residentKb });
    for (const watch of this.#watches.values()) watch.restart();
    this.#view.want(this.#routes.shortest(0));
    await this.#timed(async (began) => {
      const sent = this.#sendAll("announce", 0).then(() => this.#note({ sent: (performance.now() - began) / 1000 }));
      if (scenario.kernel) return this.#untilInKernel(routesBefore + this.#routes.count);
      if (nature === "sink") return this.#untilEcho();
      return Promise.all([this.#untilRight(), sent]).then(([right]) => right);
    });
    if (scenario.kernel) await this.#audit();
    if (scenario.bestDies) await this.#loseBest();
    if (nature !== "sink") await this.#withdraw(scenario.bestDies ? 1 : 0, routesBefore);
    await this.#watchToTheEnd();
  }

  async #loseBest(): Promise<void> {
    await pause(SETTLE_MS);
    this.#view.want(this.#routes.shortest(1));
    await this.#timed(() => {
      this.#sessions[0]?.close();
      return this.#untilRight();
    });
  }

  async #withdraw(firstSender: number, routesBefore = 0): Promise<void> {
    this.#view.want(undefined);
    const began = performance.now();
    void this.#sendAll("withdraw", firstSender);
    const { kernel } = this.#job.scenario;
    const done = await (kernel ? this.#untilInKernel(routesBefore) : this.#untilRight());
    const { peakKb } = costOf(processTree(this.#job.pids));
    this.#note({ withdrawn: (done - began) / 1000, peakKb: Math.max(peakKb, this.#outcome.peakKb ?? 0) });
  }

  async #watchToTheEnd(): Promise<void> {
    if (this.#watches.size === 0) return;
    await pause(LAST_KEEPALIVE_MS);
    this.#check();
    const now = performance.now();
    const late = [...this.#watches.values()].map((watch) => watch.lateness(now));
    this.#note({ keepaliveLateMs: Math.max(...late) });
  }

  async #establish(): Promise<void> {
    const began = performance.now();
    const ordinary = this.#sessions.filter((session) => !this.#watches.has(session));
    await dialAll(ordinary, AT_ONCE, this.#deadline());
    this.#keepAlive();
    const watchers = [...this.#watches.keys()];
    for (const watcher of watchers) {
      await dialAll([watcher], 1, this.#deadline());
      await pause(1000 / watchers.length);
    }
    this.#note({ established: (performance.now() - began) / 1000 });
  }

  /** Runs one phase, which says when it was done, with the costs of device, generator and others. */
  async #timed(phase: (began: number) => Promise<number>): Promise<void> {
    const pids = processTree(this.#job.pids);
    const [device, machine, own] = [costOf(pids), machineCpu(), process.cpuUsage()];
    const began = performance.now();
    const done = await phase(began);
    const elapsed = (performance.now() - began) / 1000;
    const [deviceNow, machineNow, ownNow] = [costOf(processTree(this.#job.pids)), machineCpu(), process.cpuUsage(own)];
    const cpu = deviceNow.cpu - device.cpu;
    const generatorCpu = (ownNow.user + ownNow.system) / 1e6;
    // Ticks of 10 ms on both ends: what they cannot tell is nobody's.
    const others = Math.max(0, machineNow.busy - machine.busy - cpu - generatorCpu - 0.03);
    const { firstRoute } = this.#view;
    this.#note({
      time: (done - began) / 1000,
      ...(firstRoute === undefined || firstRoute < began ? {} : { firstRoute: (firstRoute - began) / 1000 }),
      cpu,
      residentKb: deviceNow.residentKb,
      peakKb: Math.max(deviceNow.peakKb, deviceNow.residentKb),
      generatorCpu,
      noise: others / elapsed,
      stolen: (machineNow.stolen - machine.stolen) / elapsed,
      received: { ...this.#view.counts },
    });
  }

  async #untilRight(): Promise<number> {
    const patience = { deadline: this.#deadline(), check: () => this.#check() };
    const right = await untilRight(this.#recording, this.#view, patience);
    if (right !== undefined) return right;
    const { wrong, counts } = this.#view;
    throw new Error(`after ${this.#job.timeoutSeconds} s ${wrong} routes are not right (${JSON.stringify(counts)})`);
  }

  async #untilInKernel(goal: number): Promise<number> {
    const done = await untilCount(this.#devicePid(), goal, this.#deadline());
    this.#check();
    if (done !== undefined) return done;
    throw new Error(`after ${this.#job.timeoutSeconds} s the kernel has ${this.#countRoutes()} routes, not ${goal}`);
  }

  /** The sink answers when it has read all. */
  async #untilEcho(): Promise<number> {
    for (const deadline = this.#deadline(); performance.now() < deadline; await pause(2)) {
      this.#check();
      for (let chunk = this.#recording.next(); chunk !== undefined; chunk = this.#recording.next()) {
        if (chunk.bytes.length >= endOfRib().length) return chunk.time;
      }
    }
    throw new Error("the sink did not answer");
  }

  async #audit(): Promise<void> {
    const senders = this.#sessions.slice(0, this.#job.scenario.senders).map(({ peer }) => peer.address);
    const wrong = await auditRoutes(this.#job.netns, this.#routes, senders);
    if (wrong !== undefined) throw new Error(wrong);
  }

  async #sendAll(what: keyof Stream, firstSender: number): Promise<void> {
    const sending = this.#streams.map((stream, i) =>
      i < firstSender ? undefined : this.#sessions[i]?.send(stream[what]),
    );
    await Promise.all(sending);
  }

  #session(peer: Session["peer"], number: number): Session {
    const watch = peer.role === "watcher" ? new KeepaliveWatch() : undefined;
    const session = new Session(number, peer, {
      port: this.#job.port,
      holdTime: watch === undefined ? this.#job.scenario.holdTime : WATCHER_HOLD_TIME,
      onOctets: (_, octets, from, to) => {
        if (watch === undefined) this.#recording.add(number, octets, from, to);
        else watch.push(octets.subarray(from, to));
      },
      onLost: (_, why) => {
        this.#lost ??= `session of ${peer.name} lost: ${why}`;
      },
    });
    if (watch !== undefined) this.#watches.set(session, watch);
    return session;
  }

  #keepAlive(): void {
    const every = (seconds: number, sessions: readonly Session[]) =>
      this.#keepalives.push(setInterval(() => sessions.forEach((session) => session.sendKeepalive()), seconds * 1000));
    every(
      this.#job.scenario.holdTime / 3,
      this.#sessions.filter((session) => !this.#watches.has(session)),
    );
    every(WATCHER_HOLD_TIME / 3, [...this.#watches.keys()]);
  }

  #countRoutes(): number {
    return countRoutes(this.#devicePid());
  }

  #devicePid(): number {
    return this.#job.pids[0] as number;
  }

  #deadline(): number {
    return performance.now() + this.#job.timeoutSeconds * 1000;
  }

  #check(): void {
    if (this.#lost !== undefined) throw new Error(this.#lost);
  }
}
