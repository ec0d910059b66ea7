/** The rules of ARCHITECTURE.md that a machine can check: import arrows, single importers, purity, tidiness. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "@jest/globals";

const ROOT = new URL("..", import.meta.url).pathname;
const FOLDERS = ["bgp", "ipam", "src", "e2e"];

interface Source {
  /** From the repository's root: `bgp/wire/open.ts`. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  /** Files of ours and packages that it imports; type-only imports apart. */
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

const IMPORT =
  /(?:^|\n)\s*(import|export)(\s+type)?\s[^;'"]*?from\s+"([^"]+)"|import\("([^"]+)"\)|(?:^|\n)import\s+"([^"]+)"/g;

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  const imports = [...text.matchAll(IMPORT)].map((match) => {
    const name = (match[3] ?? match[4] ?? match[5]) as string;
    const target = name.startsWith(".") ? normalize(join(dirname(path), name)) : name;
    return { target, typeOnly: match[2] !== undefined };
  });
  return {
    path,
    text,
    isTest: /\.test\.ts$|-for-tests|under-test|testing\.ts$|arbitraries\.ts$|contract\.ts$/.test(path),
    imports,
  };
}

const SOURCES = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
)
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map(readSource);

/** Part by the longest path that fits; what each may import beside itself. The order is the order of the arrows. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  "ipam/net": [],
  "bgp/wire": ["ipam/net"],
  "bgp/session": ["ipam/net", "bgp/wire", "bgp/policy"],
  "bgp/rib": ["ipam/net", "bgp/wire", "bgp/session", "bgp/policy"],
  "bgp/policy": ["ipam/net", "bgp/wire", "bgp/session", "bgp/rib"],
  bgp: ["ipam/net", "bgp/wire", "bgp/session", "bgp/rib", "bgp/policy"],
  "bgp/inspect": ["ipam/net", "bgp/wire", "bgp/session", "bgp/rib", "bgp/policy", "bgp"],
  "bgp/simulate": ["ipam/net", "bgp/wire", "bgp/session", "bgp/rib", "bgp/policy", "bgp"],
  "bgp/fuzz": ["ipam/net", "bgp/wire", "bgp/session", "bgp", "bgp/simulate"],
  ipam: ["ipam/net"],
  "ipam/etcd": ["ipam/net", "ipam"],
  "src/kernel": ["ipam/net"],
  "src/config": ["ipam/net", "ipam"],
  "src/cluster": ["src/config"],
  "src/services": ["ipam/net", "src/config"],
  "src/telemetry": ["ipam/net", "bgp", "bgp/inspect"],
  "src/api": ["ipam/net", "bgp", "bgp/inspect"],
  "src/cni": ["ipam/net", "ipam", "src/kernel", "src/telemetry"],
  "src/speaker": ["ipam/net", "bgp", "bgp/rib", "bgp/session", "bgp/wire", "bgp/policy", "bgp/simulate"].concat([
    "bgp/inspect",
    "src/kernel",
    "src/config",
    "src/telemetry",
    "src/api",
  ]),
  "src/agent": ["ipam/net", "ipam", "ipam/etcd", "bgp", "bgp/rib", "bgp/session", "bgp/wire", "bgp/policy"].concat([
    "src/kernel",
    "src/config",
    "src/cluster",
    "src/services",
    "src/telemetry",
    "src/api",
    "src/cni",
    "src/install",
    "src/speaker",
  ]),
  "src/controller": [
    "ipam/net",
    "ipam",
    "ipam/etcd",
    "src/config",
    "src/cluster",
    "src/services",
    "src/telemetry",
  ].concat(["src/api"]),
  "src/install": [],
  "src/lab": [],
  "src/cli": [
    "ipam/net",
    "ipam",
    "ipam/etcd",
    "src/config",
    "src/telemetry",
    "src/agent",
    "src/controller",
    "src/speaker",
    "src/install",
    "src/lab",
  ].concat(["bgp/inspect"]),
  src: ["src/cli"],
  e2e: [],
  "e2e/bench": ["ipam/net", "ipam", "ipam/etcd", "e2e", "src/cluster"],
};

function partOf(path: string): string {
  const folders = Object.keys(PARTS).filter((part) => path.startsWith(`${part}/`));
  return folders.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}

describe("the architecture", () => {
  it("imports go along the arrows only", () => {
    const wrong = SOURCES.filter(({ isTest }) => !isTest).flatMap(({ path, imports }) => {
      const part = partOf(path);
      return imports
        .filter(({ target }) => FOLDERS.some((folder) => target.startsWith(`${folder}/`)))
        .filter(({ target }) => partOf(target) !== part && !(PARTS[part] ?? []).includes(partOf(target)))
        .filter(({ typeOnly }) => !part.startsWith("e2e") || !typeOnly)
        .map(({ target }) => `${path} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it.each([
    ["koffi", ["src/kernel/ffi.ts"]],
    ["etcd3", ["ipam/etcd/client.ts"]],
    ["@kubernetes/client-node", ["src/cluster/any-kubeconfig.ts"]],
    ["ip-cidr", ["ipam/net/cidr.ts"]],
    ["winston", ["src/telemetry/log.ts"]],
    ["yaml", ["src/cluster/plain-kubeconfig.ts", "src/config/yaml.ts"]],
  ])("%s has one importer", (name, importers) => {
    const found = SOURCES.filter(({ isTest, imports }) => !isTest && imports.some(({ target }) => target === name));
    expect(found.map(({ path }) => path)).toEqual(importers);
  });

  it.each([
    ["zod", "src/config/"],
    ["commander", "src/cli/"],
  ])("%s stays in %s", (name, folder) => {
    const found = SOURCES.filter(
      ({ path, imports }) => !path.startsWith(folder) && imports.some(({ target }) => target === name),
    );
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it("bgp/ and ipam/ know no clock, no chance, no process and no I/O", () => {
    const impure =
      /\bnew Date\b|\bDate\.|\bset(Timeout|Interval|Immediate)\b|\bMath\.random\b|\bprocess\.|\bperformance\.|\bBuffer\b/;
    const pure = SOURCES.filter(
      ({ path, isTest }) => /^(bgp|ipam)\//.test(path) && !path.startsWith("ipam/etcd/") && !isTest,
    );
    const wrong = pure.flatMap(({ path, text, imports }) => [
      ...imports.filter(({ target }) => target.startsWith("node:")).map(({ target }) => `${path} imports ${target}`),
      ...code(text)
        .filter((line) => impure.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    ]);
    expect(wrong).toEqual([]);
  });
});

/** Lines that are not comments. */
function code(text: string): string[] {
  return text.split("\n").filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line));
}

describe("tidiness", () => {
  it("no file is over 300 lines, tests over 450; no line over 120 columns", () => {
    const long = SOURCES.flatMap(({ path, text, isTest }) => {
      const lines = text.split("\n");
      const wide = lines.findIndex((line) => [...line].length > 120 && !isTest);
      return [
        ...(lines.length > (isTest ? 450 : 301) ? [`${path}: ${lines.length} lines`] : []),
        ...(wide >= 0 ? [`${path}:${wide + 1} is wide`] : []),
      ];
    });
    expect(long).toEqual([]);
  });

  it("names say what a thing is", () => {
    const named = SOURCES.filter(({ path }) => /manager|helper|util/i.test(path)).map(({ path }) => path);
    const declared = SOURCES.flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?:class|interface|type|function)\s+(\w*(?:Manager|Helper|Util)\w*)/g)].map(
        (match) => `${path}: ${match[1]}`,
      ),
    );
    expect([...named, ...declared]).toEqual([]);
  });

  it("nothing is left for later, and nothing names a place on somebody's machine", () => {
    // Spelt so that this file does not find itself.
    const marks = /TOD[O]|FIXM[E]|XX[X]|\/work\/mai[n]|registr[y]\.|export\s+defaul[t]/;
    const wrong = SOURCES.filter(({ path }) => path !== "src/architecture.test.ts").flatMap(({ path, text }) =>
      text
        .split("\n")
        .filter((line) => marks.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(wrong).toEqual([]);
  });
});
