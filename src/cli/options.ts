/** Options that several commands have, and their values as the configuration's readers take them. */
import { type Command, Option } from "commander";
import { AGENT_CONFIG_FILE, ETCD_SETTINGS, type Setting, SOCKET_SETTING } from "../config/agent-settings.ts";

export type OptionValues = Readonly<Record<string, unknown>>;

export function withEtcdOptions(command: Command): Command {
  return withConfigOption(withSettings(command, ETCD_SETTINGS));
}

export function withSocketOption(command: Command): Command {
  return withConfigOption(withSettings(command, [SOCKET_SETTING]));
}

export function withConfigOption(command: Command): Command {
  return command.option(
    "-c, --config <FILE>",
    `the agent's configuration (default: ${AGENT_CONFIG_FILE}, if it exists)`,
  );
}

export function withSettings(command: Command, settings: readonly Setting[]): Command {
  for (const { flag, value, help, env } of settings) {
    command.addOption(new Option(`--${flag} <${value}>`, `${help} ($${env.join(", $")})`));
  }
  return command;
}

export function outputOption(choices: readonly string[]): Option {
  return new Option("-o, --output <FORMAT>", "how to print").choices(choices);
}

/** What was given, by the settings' paths. */
export function flagsOf(options: OptionValues, settings: readonly Setting[]): Record<string, string | undefined> {
  return Object.fromEntries(
    settings.map(({ path, flag }) => [path, options[camelCase(flag)] as string | undefined] as const),
  );
}

// As commander names an option's value.
function camelCase(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
