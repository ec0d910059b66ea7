/**
 * A container as the kubelet would start it from an image: its root read-only, the volumes of its manifest mounted, on
 * a network of its own that stands for the host's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { type Finished, must, run } from "../harness/command.ts";
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
  /** Name of its network's namespace. */
  readonly netns: string;
  /** In the host's network, with the host's files. */
  command(words: readonly string[]): string[];
  /** In the container. */
  inside(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Finished>;
  /** A process in the container that stays; its words go to the file. */
  start(args: readonly string[], environment: Readonly<Record<string, string>>, log: string, as?: User): ChildProcess;
  stop(): Promise<void>;
}

/** securityContext: this user, without any capability. */
export interface User {
  readonly runAsUser: number;
  readonly runAsGroup: number;
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
  const netns = `ovlimage${process.pid}`;
  await must(["ip", "netns", "add", netns]);
  const held = [`--net=/run/netns/${netns}`, "unshare", "--mount", "sh", "-ec", script];
  const holder = spawn("nsenter", held, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.on("data", () => resolve());
    holder.on("exit", () => reject(new Error("the host could not be set up")));
  });
  const enter = ["nsenter", "--target", String(holder.pid), "--mount", "--net", "--"];
  const contained = (args: readonly string[], environment: Readonly<Record<string, string>>, as?: User) => {
    const variables = Object.entries({ ...image.environment, ...environment }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const user = as === undefined ? [] : [`--userspec=${as.runAsUser}:${as.runAsGroup}`, "--groups="];
    // A change from root to another user takes every capability away (capabilities(7)).
    return [...enter, "env", "-i", ...variables, "chroot", ...user, image.root, ...image.entrypoint, ...args];
  };
  return {
    netns,
    command: (words) => [...enter, ...words],
    inside: (args, environment = {}) => run(contained(args, environment)),
    start(args, environment, log, as) {
      const [file = "", ...words] = contained(args, environment, as);
      const output = openSync(log, "a");
      const child = spawn(file, words, { stdio: ["ignore", output, output] });
      closeSync(output);
      return child;
    },
    async stop() {
      const ended = new Promise((resolve) => holder.once("exit", resolve));
      holder.kill("SIGKILL");
      await ended;
      await run(["ip", "netns", "del", netns]);
    },
  };
}
