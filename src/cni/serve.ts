/** The agent's side of the CNI plugin: a request's octets in, exit status and output out. */
import { add } from "./add.ts";
import { pluginOf } from "./attachments.ts";
import { check } from "./check.ts";
import { SUPPORTED_VERSIONS } from "./config.ts";
import { type CniContext, faultOf, messageOf } from "./context.ts";
import { del } from "./del.ts";
import { addDelegated, checkDelegated } from "./delegate.ts";
import { CniCode, CniFault, faultDocument } from "./fault.ts";
import { type CniRequest, readMessage, readRequest, versionOf } from "./request.ts";

export interface CniAnswer {
  readonly ok: boolean;
  /** What the plugin prints. */
  readonly output: string;
}

export async function serveCni(context: CniContext, body: Uint8Array): Promise<CniAnswer> {
  const started = performance.now();
  try {
    const request = readRequest(body);
    const output = await run(context, request);
    const { command, containerID, ifName } = request;
    const milliseconds = Math.round((performance.now() - started) * 100) / 100;
    context.log.debug("cni", { command, containerID, ifName, milliseconds });
    return { ok: true, output };
  } catch (error) {
    const fault = faultOf(error);
    const { code, message, details } = fault;
    context.log.warn("cni request failed", { code, message, details, ...describe(body) });
    return { ok: false, output: faultDocument(versionOfBody(body), fault) };
  }
}

function run(context: CniContext, request: CniRequest): Promise<string> | string {
  const delegated = request.plugin === "overland-ipam";
  switch (request.command) {
    case "ADD": {
      const reason = context.unavailable();
      if (reason !== undefined) throw new CniFault(CniCode.TryAgainLater, `the agent cannot serve pods yet: ${reason}`);
      return delegated ? addDelegated(context, request) : add(context, request);
    }
    case "DEL":
      return del(context, request);
    case "CHECK":
      return delegated ? checkDelegated(context, request) : check(context, request);
    case "GC":
      return collect(context, request);
    case "STATUS": {
      const reason = context.unavailable();
      if (reason !== undefined) throw new CniFault(CniCode.PluginNotAvailable, reason);
      return "";
    }
    case "VERSION":
      return JSON.stringify({ cniVersion: request.config.cniVersion, supportedVersions: SUPPORTED_VERSIONS });
  }
}

/** GC: what the runtime no longer knows goes, as DEL would do it. */
async function collect(context: CniContext, request: CniRequest): Promise<string> {
  const { validAttachments, name } = request.config;
  if (validAttachments === undefined) {
    throw new CniFault(
      CniCode.InvalidConfig,
      "cni.dev/valid-attachments is missing: without it nothing can be told to be old",
    );
  }
  const valid = new Set(validAttachments.map(({ containerID, ifname }) => `${containerID}/${ifname}`));
  const faults: string[] = [];
  for (const known of context.attachments.all()) {
    const { containerID, ifName, network } = known;
    if (pluginOf(known) !== request.plugin || network !== name || valid.has(`${containerID}/${ifName}`)) continue;
    context.log.info("collected: the runtime no longer knows it", { containerID, ifName });
    try {
      await del(context, { ...request, command: "DEL", containerID, ifName });
    } catch (error) {
      // One that cannot go keeps no other; the runtime repeats GC.
      faults.push(`${ifName} of ${containerID}: ${messageOf(error)}`);
    }
  }
  if (faults.length === 0) return "";
  throw new CniFault(CniCode.IoFailure, `${faults.length} attachments could not be removed`, faults.join("; "));
}

function versionOfBody(body: Uint8Array): string {
  try {
    return versionOf(readMessage(body).stdin);
  } catch {
    return versionOf("");
  }
}

function describe(body: Uint8Array): Record<string, string | undefined> {
  try {
    const { env } = readMessage(body);
    return { command: env.get("CNI_COMMAND"), containerID: env.get("CNI_CONTAINERID"), netns: env.get("CNI_NETNS") };
  } catch {
    return {};
  }
}
