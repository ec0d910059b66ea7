/**
 * `npm run fuzz`: damaged messages into every decoder and into whole sessions, and random lives of simulated networks,
 * until the time is over. A failure prints its seed, how to see it again, and what was sent last; exit code 1.
 *
 *   npm run fuzz [-- --seconds N] [--seed S] [--kind decoders|session|network] [--once]
 */
import { parseArgs } from "node:util";
import { decodeAll } from "../../bgp/fuzz/decoders.ts";
import { Messages } from "../../bgp/fuzz/messages.ts";
import { mutated } from "../../bgp/fuzz/mutate.ts";
import { FuzzedSession } from "../../bgp/fuzz/session.ts";
import { seededRandom } from "../../bgp/simulate/random.ts";
import { Scenario } from "../../bgp/simulate/scenario.ts";

const MESSAGES = 500;
/** Octets the heap may grow by between the first quarter and the end: caches fill, nothing else does. */
const MOST_GROWTH = 48 * 1024 * 1024;
const hex = (octets) => Buffer.from(octets).toString("hex");

/** By kind: one run with a seed; throws with what it was about in `sent`. */
const KINDS = {
  decoders(seed) {
    const random = seededRandom(seed);
    const manner = { asNumber: 65001, external: random() < 0.5, asOctets: 4, addPath: random() < 0.3 };
    const messages = new Messages(random, { ...manner, maxMessageLength: 4096 });
    for (let n = 0; n < MESSAGES; n++) {
      const message = mutated(messages.next(), random);
      attempt(() => decodeAll(message, random), [message]);
    }
  },
  session(seed) {
    const session = new FuzzedSession(seededRandom(seed));
    attempt(() => session.run(), session.sent);
  },
  network(seed) {
    attempt(() => new Scenario(seed).run(), []);
  },
};

function attempt(run, sent) {
  try {
    run();
  } catch (error) {
    throw Object.assign(error, { sent });
  }
}

function heap() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
      kind: { type: "string" },
      once: { type: "boolean", default: false },
    },
  });
  const [seconds, first] = [Number(values.seconds), Number(values.seed)];
  const kinds = values.kind === undefined ? Object.keys(KINDS) : [values.kind];
  if (!(seconds >= 0) || !Number.isSafeInteger(first) || kinds.some((kind) => KINDS[kind] === undefined)) {
    process.stderr.write("npm run fuzz [-- --seconds N] [--seed S] [--kind decoders|session|network] [--once]\n");
    return 2;
  }
  process.stdout.write(`fuzz: ${kinds.join(", ")} from seed ${first} on, for ${seconds} s\n`);
  const started = performance.now();
  const runs = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  const spent = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  let early;
  for (let passed = 0; passed < seconds * 1000 || runs[kinds[0]] === 0; passed = performance.now() - started) {
    if (early === undefined && passed > seconds * 250) early = heap();
    // Each kind gets its share of the time.
    const kind = kinds.reduce((least, one) => (spent[one] < spent[least] ? one : least));
    const seed = first + runs[kind]++;
    const from = performance.now();
    try {
      KINDS[kind](seed);
    } catch (error) {
      report(kind, seed, error);
      return 1;
    }
    spent[kind] += performance.now() - from;
    if (values.once) break;
  }
  const done = kinds.map((kind) => `${kind} ${runs[kind]}`).join(", ");
  const growth = early === undefined ? 0 : heap() - early;
  process.stdout.write(`fuzz: ${done} runs, heap ${(growth / 1024 / 1024).toFixed(1)} MB more than early on\n`);
  if (growth <= MOST_GROWTH) return 0;
  process.stdout.write("FAILED: memory grows\n");
  return 1;
}

function report(kind, seed, error) {
  process.stdout.write(`FAILED: ${kind}, seed ${seed}\nagain: npm run fuzz -- --kind ${kind} --seed ${seed} --once\n`);
  process.stdout.write(`${error.stack}\n`);
  if (error.cause !== undefined) process.stdout.write(`cause: ${error.cause.stack}\n`);
  for (const octets of error.sent ?? []) process.stdout.write(`sent ${hex(octets)}\n`);
}

process.exitCode = main();
