/**
 * `npm run bench dataplane`: what a pod's network costs, pod to pod on another node against node to node, beside the
 * usual VXLAN overlay.
 *
 * Nodes, switch and pods are namespaces of one machine, so the absolute figures say nothing about network cards: the
 * ratios are the result.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Commands, newFolder, removeLeftovers } from "./dataplane/commands.ts";
import { type Reading, ratios, table } from "./dataplane/figures.ts";
import { type Kind, Load } from "./dataplane/load.ts";
import { buildSite, type Family, type Frames, hostWay, type Way } from "./dataplane/nodes.ts";
import { overlandWay } from "./dataplane/overland-way.ts";
import { vxlanWay } from "./dataplane/vxlan-way.ts";
import { exitCodeOf, Refusal } from "./ending.ts";

const HELP = `usage: npm run bench dataplane -- [--rounds N] [--seconds N] [--families LIST] [--json] …

Measures TCP between pods on two nodes, wired by overland, against host to host and against a VXLAN overlay.

  --rounds N        rounds; ratios are medians of the rounds' own (9)
  --seconds N       for each measurement (1)
  --families LIST   (ipv4,ipv6)
  --kinds LIST      throughput: a stream of iperf3; transactions: one octet to and fro on one connection;
                    connections: the same with a new connection each time (throughput,transactions,connections)
  --frames NAME     what crosses the wire. large: segments as TCP made them, as with a network card that cuts and
                    joins them; mtu: frames of the MTU, as with a card that joins nothing (large)
  --json            print {"ratios", "raw"} on standard output, the rest on standard error

ratios (with _ipv6 for IPv6):
  pod_…              overland / host to host; wanted: throughput at least 0.95, transactions 0.8
  vxlan_…            vxlan / host to host
  ours_over_vxlan_…  overland / vxlan
…_latency is that of transactions, the usual one's: less is better
`;

const FAMILIES = ["ipv4", "ipv6"] as const;
const KINDS = ["throughput", "transactions", "connections"] as const;
const FIGURES = [...KINDS, "latency"] as const;

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly families: readonly Family[];
  readonly kinds: readonly Kind[];
  readonly frames: Frames;
  readonly json: boolean;
}

function settings(argv: string[]): Settings | undefined {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: text("9"),
      seconds: text("1"),
      families: text(FAMILIES.join(",")),
      kinds: text(KINDS.join(",")),
      frames: text("large"),
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const count = (name: "rounds" | "seconds", most: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Refusal(`--${name} ${values[name]}: must be a whole number from 1 to ${most}`);
  };
  return {
    rounds: count("rounds", 1000),
    seconds: count("seconds", 600),
    families: pick("--families", values.families, FAMILIES),
    kinds: pick("--kinds", values.kinds, KINDS),
    frames: pick("--frames", values.frames, ["large", "mtu"])[0] as Frames,
    json: values.json,
  };
}

function pick<T extends string>(option: string, names: string, from: readonly T[]): T[] {
  return names.split(",").map((name) => {
    const found = from.find((each) => each === name);
    if (found !== undefined) return found;
    throw new Refusal(`${option} ${name}: there are ${from.join(", ")}`);
  });
}

function checkMachine(): void {
  if (process.getuid?.() !== 0) throw new Refusal("the benchmark makes network namespaces: run it as root");
  for (const [program, name] of [
    ["etcd", "etcd-server"],
    ["iperf3", "iperf3"],
    ["gcc", "gcc"],
    ["taskset", "util-linux"],
    ["setpriv", "util-linux"],
    ["bridge", "iproute2"],
  ] as const) {
    if (spawnSync(program, ["--version"]).error !== undefined)
      throw new Refusal(`${program} is missing: install the package ${name}`);
  }
}

async function bench(wanted: Settings): Promise<void> {
  const say = wanted.json ? console.error : console.log;
  removeLeftovers();
  const folder = newFolder();
  const commands = new Commands(folder);
  const interrupt = () => commands.interrupt();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("SIGHUP", interrupt);
  try {
    const load = new Load(commands, folder);
    load.build();
    say("making two nodes, a switch and pods; starting etcd and two agents");
    const site = buildSite(commands, wanted.frames);
    const ways: Way[] = [hostWay(site), await overlandWay(commands, site, folder), vxlanWay(commands, site)];
    for (const way of ways) await load.open(way, wanted.families);
    const raw: Reading[] = [];
    for (let round = 0; round < wanted.rounds; round++) {
      say(`round ${round + 1} of ${wanted.rounds}`);
      raw.push(...(await measureRound(round, ways, load, wanted)));
    }
    const modes = ways.map(({ mode }) => mode);
    const machine = `${availableParallelism()} CPUs, ${wanted.frames} frames`;
    say(`\n${machine}; medians of ${wanted.rounds} rounds (least-most)\n\n${table(raw, modes)}\n`);
    const result = ratios(raw);
    for (const [name, value] of Object.entries(result)) say(`${name.padEnd(36)} ${value}`);
    if (wanted.json) console.log(JSON.stringify({ ratios: result, raw }));
  } finally {
    await commands.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRound(round: number, ways: readonly Way[], load: Load, wanted: Settings): Promise<Reading[]> {
  // Another one is first each time.
  const order = ways.map((_, i) => ways[(i + round) % ways.length] as Way);
  const readings: Reading[] = [];
  for (const family of wanted.families) {
    for (const kind of wanted.kinds) {
      for (const way of order) {
        const figures = await load.measure(way, family, kind, wanted.seconds);
        for (const figure of FIGURES) {
          const value = figures[figure];
          if (value !== undefined) readings.push({ round, mode: way.mode, family, figure, value });
        }
      }
    }
  }
  return readings;
}

async function main(): Promise<number> {
  const wanted = settings(process.argv.slice(2));
  if (wanted === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  checkMachine();
  await bench(wanted);
  return 0;
}

process.exitCode = await exitCodeOf("dataplane", main);
