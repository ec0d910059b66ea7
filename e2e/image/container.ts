/**
 * A container as the kubelet would start it from an image: its root read-only, the volumes of its manifest mounted, on
 * a network of its own that stands for the host's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Finished, run } from "../harness/command.ts";
import type { Image } from "./replay.ts";

export interface Mount {
  /** Directory on the host. */
  readonly from: string;
  /** Path in the container. */
  readonly to: string;
  readonly readOnly?: boolean;
  /** mountPropagation: HostToContainer. What the host mounts inside later is seen. */
  readonly propagated?: boolean;
}

export interface Host {
  /** In the host's network, with the host's files. */
  command(words: readonly string[]): string[];
  /** In the container. */
  inside(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Finished>;
  /** A process in the container that stays. */
  start(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess;
  stop(): Promise<void>;
}

/** `address` with its length is the host's. */
export async function openHost(image: Image, mounts: readonly Mount[], address: string): Promise<Host> {
  for (const { from, to } of mounts) {
    mkdirSync(from, { recursive: true });
    mkdirSync(join(image.root, to), { recursive: true });
  }
  const binds = mounts.flatMap(({ from, to, readOnly, propagated }) => {
    const target = `'${image.root}${to}'`;
    return [
      ...(propagated === true ? [`mount --bind '${from}' '${from}'`, `mount --make-shared '${from}'`] : []),
      `mount --bind '${from}' ${target}`,
      ...(propagated === true ? [`mount --make-slave ${target}`] : []),
      ...(readOnly === true ? [`mount -o remount,bind,ro ${target}`] : []),
    ];
  });
  const script = [
    "mount --make-rprivate /",
    `mount --bind '${image.root}' '${image.root}'`,
    `mount -o remount,bind,ro '${image.root}'`,
    `mount -t proc proc '${image.root}/proc'`,
    `mount --bind /dev '${image.root}/dev'`,
    ...binds,
    "ip link set lo up",
    "ip link add eth0 type veth peer name other",
    "ip link set eth0 up && ip link set other up",
    `ip address add ${address} dev eth0`,
    "echo there",
    "exec sleep infinity",
  ].join("\n");
  const holder = spawn("unshare", ["--mount", "--net", "sh", "-ec", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.on("data", () => resolve());
    holder.on("exit", () => reject(new Error("the host could not be set up")));
  });
  const enter = ["nsenter", "--target", String(holder.pid), "--mount", "--net", "--"];
  const contained = (args: readonly string[], environment: Readonly<Record<string, string>>) => {
    const variables = Object.entries({ ...image.environment, ...environment }).map(
      ([name, value]) => `${name}=${value}`,
    );
    return [...enter, "env", "-i", ...variables, "chroot", image.root, ...image.entrypoint, ...args];
  };
  return {
    command: (words) => [...enter, ...words],
    inside: (args, environment = {}) => run(contained(args, environment)),
    start(args, environment) {
      const [file = "", ...words] = contained(args, environment);
      return spawn(file, words, { stdio: ["ignore", "inherit", "pipe"] });
    },
    async stop() {
      const ended = new Promise((resolve) => holder.once("exit", resolve));
      holder.kill("SIGKILL");
      await ended;
    },
  };
}
