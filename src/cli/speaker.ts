/**
 * `overland speaker`: runs until it is told to stop.
 *
 * The file is read by a process of its own, this program with --check: what it takes to read YAML and to find every
 * mistake is memory that a speaker would otherwise hold for weeks.
 */
import { spawn } from "node:child_process";
import type { SpeakerConfig, SpeakerConfigResult } from "../config/speaker-config.ts";
import type { Standalone } from "../speaker/standalone.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { version } from "./version.ts";

/** A stop takes no longer than this, whatever still hangs. */
const STOP_MS = 5000;

export async function runSpeaker(options: OptionValues): Promise<void> {
  const file = options["config"] as string;
  if (options["check"] === true) return check(file, options["output"] === "json");
  const config = configOf(await readApart(file));
  // Listened for from the start: a signal while starting stops the speaker when it has started.
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
  });
  const { promise: started, resolve: hasStarted } = Promise.withResolvers<Standalone>();
  process.on("SIGHUP", () => void started.then((running) => running.reload(() => readApart(file))));
  const { startStandalone } = await import("../speaker/standalone.ts");
  const running = await startStandalone(config, version()).catch((error: Error) => {
    throw new Failure(`the speaker cannot start: ${error.message}`, 2);
  });
  hasStarted(running);
  await told;
  setTimeout(() => process.exit(1), STOP_MS).unref();
  await running.stop();
}

async function check(file: string, asJson: boolean): Promise<void> {
  const { loadSpeakerConfig } = await import("../config/speaker-config.ts");
  const config = configOf(loadSpeakerConfig(file));
  process.stdout.write(asJson ? `${JSON.stringify(config)}\n` : `${file} is valid\n`);
}

function configOf(result: SpeakerConfigResult): SpeakerConfig {
  if ("faults" in result) throw new Failure(result.faults.join("\n"), 2);
  return result.config;
}

function readApart(file: string): Promise<SpeakerConfigResult> {
  const program = process.argv[1] as string;
  const args = [program, "speaker", "--config", file, "--check", "--output", "json"];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ["inherit", "pipe", "pipe"] });
    const [printed, said]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (part: Buffer) => printed.push(part));
    child.stderr.on("data", (part: Buffer) => said.push(part));
    child.on("error", ({ message }) => resolve({ faults: [`${file} cannot be read: ${message}`] }));
    child.on("close", (code, signal) => {
      const text = (parts: readonly Buffer[]) => Buffer.concat(parts).toString();
      if (code === 0) return resolve({ config: JSON.parse(text(printed)) as SpeakerConfig });
      const faults = text(said)
        .split("\n")
        .filter((line) => line !== "");
      resolve({
        faults: faults.length > 0 ? faults : [`${file} cannot be read: its reader ended by ${signal ?? code}`],
      });
    });
  });
}
