/** The speaker under test and the segment it shares with the testers: two namespaces and a cable. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { inside, must, run } from "../harness/command.ts";
import { NODE, OVERLAND } from "../harness/program.ts";
import { eventually } from "../harness/wait.ts";
import { birdConfig } from "./bird.ts";
import { Network } from "./network.ts";
import { address4, address6, linkLocal, PEER_NAMES, planOf, SUBJECT } from "./peers.ts";
import { speakerConfig } from "./speaker-config.ts";

/** BIRD is there to check the checker: where it and a case differ, one of the two is wrong. */
export type SubjectKind = "overland" | "bird";

export class Subject {
  readonly #kind: SubjectKind;
  readonly #program: readonly string[];
  readonly #directory = mkdtempSync(`${tmpdir()}/overland-conformance-`);
  readonly #own = `ovl-e2ec${process.pid}s`;
  readonly #testers = `ovl-e2ec${process.pid}t`;
  #process: ChildProcess | undefined;
  #network: Network | undefined;

  /** `program`: the first words of the command line. */
  constructor(kind: SubjectKind = "overland", program: readonly string[] = OVERLAND) {
    this.#kind = kind;
    this.#program = program;
  }

  /** The segment, with the testers' end of it. */
  async connect(): Promise<Network> {
    await this.#cable();
    this.#network = new Network(this.#testers, NODE);
    return this.#network;
  }

  async start(): Promise<void> {
    const file = `${this.#directory}/${this.#kind}`;
    const command =
      this.#kind === "bird"
        ? ["bird", "-f", "-c", file, "-s", `${file}.ctl`]
        : [...this.#program, "speaker", "--config", file];
    writeFileSync(file, this.#kind === "bird" ? birdConfig() : speakerConfig(`${file}.sock`));
    const log = openSync(this.logFile, "a");
    const [program = "", ...args] = mortal(inside(this.#own, command));
    this.#process = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    await eventually(`${this.#kind} listens`, 15, async () => {
      const { exitCode } = this.#process as ChildProcess;
      if (exitCode !== null) throw new Error(`it ended with ${exitCode}: ${readFileSync(this.logFile, "utf8")}`);
      return (await must(["ss", "-Hltn", `sport = ${SUBJECT.port}`], { netns: this.#own })) !== "";
    });
  }

  get logFile(): string {
    return `${this.#directory}/log`;
  }

  get alive(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  async stop(): Promise<void> {
    this.#network?.stop();
    this.#process?.kill("SIGKILL");
    for (const name of [this.#own, this.#testers]) await run(["ip", "netns", "del", name]);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The speaker has 192.0.2.1 and 2001:db8:2::1; every tester's address is on the other end of the cable. */
  async #cable(): Promise<void> {
    const [own, testers] = [this.#own, this.#testers];
    const addresses = (host: number) => [
      `address add ${address4(host)}/24 dev lan`,
      `address add ${address6(host)}/64 dev lan nodad`,
    ];
    const up = (host: number) => [
      "link set lo up",
      `address add ${linkLocal(host)}/64 dev lan nodad`,
      "link set lan up",
    ];
    const batch = (options: readonly string[], lines: readonly string[]) =>
      must(["ip", ...options, "-batch", "-"], { input: `${lines.join("\n")}\n` });
    await batch(
      [],
      [own, testers].map((name) => `netns add ${name}`),
    );
    for (const name of [own, testers]) {
      await must(["sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1", "net.ipv6.conf.default.accept_dad=0"], {
        netns: name,
      });
    }
    await batch([], [`link add lan netns ${own} type veth peer name lan netns ${testers}`]);
    await batch(["-n", own], [...addresses(SUBJECT.host), ...up(SUBJECT.host)]);
    await batch(["-n", testers], [...PEER_NAMES.flatMap((name) => addresses(planOf(name).host)), ...up(2)]);
  }
}

/** Whatever ends this process ends the command too. */
const mortal = (command: readonly string[]): string[] => ["setpriv", "--pdeathsig", "KILL", ...command];
