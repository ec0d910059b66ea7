/**
 * DELs that were answered but not finished: the agent or etcd was away. Each is the request as it came, in a file.
 *
 * The plugin writes here when nobody answers on the socket, the agent when the store does not; the agent finishes them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { attachmentName } from "./identity.ts";
import type { CniRequest } from "./request.ts";

export class PendingDeletes {
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = `${stateDir}/pending-del`;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  list(): readonly string[] {
    // A name that begins with a dot is still being written.
    return readdirSync(this.#directory).filter((name) => !name.startsWith("."));
  }

  /** Undefined: there is none of this name. */
  read(name: string): Uint8Array | undefined {
    const file = `${this.#directory}/${name}`;
    // There hardly ever is one, and each ADD asks: no exception for that.
    if (!existsSync(file)) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  done(name: string): void {
    rmSync(`${this.#directory}/${name}`, { force: true });
  }

  /** Out of the way, but not gone: a file that makes no sense is for a person to look at. */
  setAside(name: string): void {
    renameSync(`${this.#directory}/${name}`, `${this.#directory}/.damaged-${name}`);
  }

  add(request: Pick<CniRequest, "containerID" | "ifName" | "plugin">, network: string): void {
    const { containerID, ifName, plugin } = request;
    const config = JSON.stringify({ cniVersion: "1.1.0", name: network, type: plugin });
    const variables = ["CNI_COMMAND=DEL", `CNI_CONTAINERID=${containerID}`, `CNI_IFNAME=${ifName}`, `PLUGIN=${plugin}`];
    const body = `${variables.map((variable) => `${variable}\0`).join("")}\0${config}`;
    const file = attachmentName(request);
    writeFileSync(`${this.#directory}/.${file}`, body, { mode: 0o600 });
    renameSync(`${this.#directory}/.${file}`, `${this.#directory}/${file}`);
  }
}
