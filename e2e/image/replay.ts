/**
 * The Dockerfile's steps done to directories: no image is pulled. What base images bring is taken from this machine, a
 * Debian as well: the packages of the base image and of `apt-get install` are those installed here, file by file, and
 * node_modules is the checkout's, under an overlay, for `npm ci`. Everything else is done as it is written.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { must } from "../harness/command.ts";
import { NODE } from "../harness/program.ts";
import { readDockerfile, type Stage } from "./dockerfile.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Of debian:bookworm-slim what programs like ours may lean on, and what node needs. */
const BASE = [
  "base-files",
  "bash",
  "coreutils",
  "dash",
  "findutils",
  "grep",
  "libc6",
  "libgcc-s1",
  "libstdc++6",
  "sed",
];

export interface Image {
  /** Its root directory. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  remove(): void;
}

/** The image that `docker build` without a target makes. */
export async function replayDockerfile(): Promise<Image> {
  const folder = mkdtempSync(join(tmpdir(), "overland-image-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const stages = readDockerfile(readFileSync(`${ROOT}/Dockerfile`, "utf8"));
    const last = stages.at(-1) as Stage;
    const build = stages.find(({ name }) => name === "build") as Stage;
    await replayBuild(build, join(folder, "build"));
    const root = join(folder, "image");
    await layPackages(root, [...BASE, ...installed(last)]);
    mkdirSync(join(root, "usr/local/bin"), { recursive: true });
    copyFileSync(realpathSync(NODE), join(root, "usr/local/bin/node"));
    chmodSync(join(root, "usr/local/bin/node"), 0o755);
    return { ...(await replayImage(last, root, join(folder, "build"))), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Its RUNs are executed with this machine's tools, in a directory instead of a root. */
async function replayBuild(stage: Stage, root: string): Promise<void> {
  let workdir = root;
  for (const { word, text, from } of stage.instructions) {
    if (word === "WORKDIR") {
      workdir = join(root, text);
      mkdirSync(workdir, { recursive: true });
    } else if (word === "COPY" && from === undefined) {
      await copyContext(text, workdir);
    } else if (word === "RUN" && text === "npm ci") {
      mkdirSync(join(workdir, "node_modules"));
    } else if (word === "RUN" && !text.startsWith("apt-get ")) {
      await runOverModules(text, workdir);
    }
  }
  await runOverModules(`cp -a node_modules '${workdir}.modules'`, workdir);
  rmSync(join(workdir, "node_modules"), { recursive: true });
  renameSync(`${workdir}.modules`, join(workdir, "node_modules"));
}

/** The checkout's node_modules underneath, what changes in a directory of our own. */
async function runOverModules(command: string, workdir: string): Promise<void> {
  for (const name of ["upper", "work"]) mkdirSync(`${workdir}.${name}`, { recursive: true });
  const layers = `lowerdir=${ROOT}/node_modules,upperdir=${workdir}.upper,workdir=${workdir}.work`;
  const script = `mount -t overlay overlay -o '${layers}' '${workdir}/node_modules' && cd '${workdir}' && ${command}`;
  const path = `${ROOT}/node_modules/.bin:${process.env["PATH"] ?? ""}`;
  await must(["unshare", "--mount", "sh", "-ec", script], { environment: { PATH: path }, timeoutMs: 300_000 });
}

async function copyContext(text: string, workdir: string): Promise<void> {
  const words = text.split(/\s+/);
  const sources = words.slice(0, -1);
  const ignored = readFileSync(`${ROOT}/.dockerignore`, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const excludes = ignored.map((pattern) => `--exclude=./${pattern}`);
  const from = sources.map((source) => `./${source}`.replace("./.", source === "." ? "." : "./."));
  const pack = `tar -C '${ROOT}' --anchored ${excludes.join(" ")} -cf - ${from.join(" ")}`;
  const archive = `${pack} | tar -C '${workdir}' -xf -`;
  await must(["sh", "-ec", archive]);
}

function installed({ instructions }: Stage): string[] {
  return instructions.flatMap(({ text }) => {
    const words = /apt-get install(?: -\S+| --\S+)* ([^&|;]+)/.exec(text)?.[1];
    return words === undefined ? [] : words.trim().split(/\s+/);
  });
}

/** The files of packages of this machine, with those of the packages they depend on. */
async function layPackages(root: string, names: readonly string[]): Promise<void> {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  const listed = await must(["dpkg-query", "-W", "-f", "${Package}\\t${Pre-Depends}, ${Depends}\\n"]);
  const depends = new Map(
    listed
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t") as [string, string]),
  );
  const wanted = new Set<string>();
  const want = (name: string): void => {
    if (name === "" || wanted.has(name) || !depends.has(name)) return;
    wanted.add(name);
    for (const either of (depends.get(name) ?? "").split(",")) {
      const found = either.split("|").map((one) => one.trim().replace(/[\s(:].*/, ""));
      const there = found.find((one) => depends.has(one));
      if (there !== undefined) want(there);
    }
  };
  for (const name of names) {
    if (!depends.has(name)) throw new Error(`the image installs ${name}, which this machine does not have`);
    want(name);
  }
  const files = await must(["dpkg-query", "-L", ...wanted]);
  const kept = files
    .split("\n")
    .filter((path) => path.startsWith("/") && !/^\/usr\/share\/(doc|man|locale|info)\b/.test(path));
  writeFileSync(`${root}.files`, `${[...new Set(kept)].map((path) => `.${path}`).join("\n")}\n`);
  const copy = `tar -C / --no-recursion --ignore-failed-read -cf - -T '${root}.files' 2>/dev/null |
    tar -C '${root}' --keep-directory-symlink -xf -`;
  await must(["sh", "-ec", copy]);
  for (const name of ["proc", "sys", "dev", "tmp", "run", "etc", "var/lib"])
    mkdirSync(join(root, name), { recursive: true });
}

async function replayImage(stage: Stage, root: string, build: string): Promise<Omit<Image, "remove">> {
  const environment: Record<string, string> = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
  let [workdir, entrypoint] = ["/", [] as string[]];
  for (const { word, text, from } of stage.instructions) {
    if (word === "WORKDIR") {
      workdir = text;
      mkdirSync(join(root, workdir), { recursive: true });
    } else if (word === "ENV") {
      const [name = "", value = ""] = text.split("=");
      environment[name] = value;
    } else if (word === "ENTRYPOINT") {
      entrypoint = JSON.parse(text) as string[];
    } else if (word === "COPY" && from === "build") {
      copyFromBuild(text, build, resolve("/", workdir), root);
    } else if (word === "RUN" && !text.startsWith("apt-get ")) {
      await must(["chroot", root, "/bin/sh", "-ec", text], { environment });
    } else if (word === "COPY" || word === "USER") throw new Error(`${word} ${text} cannot be replayed`);
  }
  return { root, entrypoint, environment };
}

function copyFromBuild(text: string, build: string, workdir: string, root: string): void {
  const [source = "", target = ""] = text.split(/\s+/);
  const to = join(root, resolve(workdir, target), target.endsWith("/") ? (source.split("/").at(-1) as string) : "");
  cpSync(join(build, source), to, { recursive: true, verbatimSymlinks: true });
}
