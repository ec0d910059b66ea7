/** The agent's configuration as this machine has it: its file, the environment and the machine's name. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import {
  type AgentConfig,
  type ConfigResult,
  type ConfigSources,
  readAgentConfig,
  readClientConfig,
} from "./agent-config.ts";
import { AGENT_CONFIG_FILE } from "./agent-settings.ts";
import { type Fault, faultText } from "./fault.ts";
import { readText } from "./manifest-files.ts";

type Flags = ConfigSources["flags"];

/** `path` undefined: /etc/overland/agent.yaml, if there is one. A path that was given has to exist. */
export function loadAgentConfig(flags: Flags, path: string | undefined): ConfigResult<AgentConfig> {
  const read = configFile(path);
  if ("faults" in read) return read;
  return readAgentConfig({ flags, env: process.env, hostname: hostname(), ...read });
}

/** As {@link loadAgentConfig}, for commands that only look for etcd and the agent's socket. */
export function loadClientConfig(flags: Flags, path: string | undefined): ReturnType<typeof readClientConfig> {
  const read = configFile(path);
  return "faults" in read ? read : readClientConfig({ flags, env: process.env, ...read });
}

function configFile(path: string | undefined): { file?: { name: string; text: string } } | { faults: string[] } {
  const name = path ?? (existsSync(AGENT_CONFIG_FILE) ? AGENT_CONFIG_FILE : undefined);
  if (name === undefined) return {};
  const faults: Fault[] = [];
  const text = readText(name, faults);
  return text === undefined ? { faults: faults.map(faultText) } : { file: { name, text } };
}
