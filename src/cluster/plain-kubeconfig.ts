/**
 * A kubeconfig that holds all there is to know itself: authorities, certificates, tokens, in it or in files. Most do,
 * and @kubernetes/client-node takes longer to load than reading one so takes in all.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { ReadKubeconfig } from "./kubeconfig.ts";

type Fields = Readonly<Record<string, unknown>>;

const CLUSTER = ["server", "certificate-authority", "certificate-authority-data", "tls-server-name"];
const USER = ["client-certificate", "client-certificate-data", "client-key", "client-key-data", "token"];

/** Undefined: it says more than this, or not enough. */
export function readPlain(path: string): ReadKubeconfig | undefined {
  try {
    const config = parse(readFileSync(path, "utf8")) as Fields;
    const context = named(config, "contexts", "context", config["current-context"]);
    const cluster = named(config, "clusters", "cluster", context?.["cluster"]);
    const user = named(config, "users", "user", context?.["user"]);
    if (cluster === undefined || user === undefined || !holdsOnly(cluster, CLUSTER) || !holdsOnly(user, USER)) return;
    const server = cluster["server"] ?? "";
    if (!URL.canParse(server)) return;
    const pem = (name: string, fields: Readonly<Record<string, string>>, field: string) => {
      const [data, file] = [fields[`${field}-data`], fields[field]];
      if (data !== undefined && file !== undefined) throw new Error("which of the two?");
      if (data !== undefined) return { [name]: Buffer.from(data, "base64").toString() };
      return file === undefined ? {} : { [name]: readFileSync(resolve(dirname(path), file), "utf8") };
    };
    const { "tls-server-name": servername, token } = { ...cluster, ...user };
    return {
      server,
      tls: {
        ...pem("ca", cluster, "certificate-authority"),
        ...pem("cert", user, "client-certificate"),
        ...pem("key", user, "client-key"),
        ...(servername !== undefined && { servername }),
      },
      headers: token === undefined ? {} : { authorization: `Bearer ${token.trim()}` },
    };
  } catch {
    // What is wrong with it, who reads it all the same says in words.
    return undefined;
  }
}

function named(config: Fields, list: string, field: string, name: unknown): Fields | undefined {
  const found = (config[list] as readonly Fields[]).filter((one) => one["name"] === name);
  return found.length === 1 ? (found[0]?.[field] as Fields | undefined) : undefined;
}

function holdsOnly(map: Fields, fields: readonly string[]): map is Readonly<Record<string, string>> {
  return Object.entries(map).every(
    ([field, value]) => fields.includes(field) && typeof value === "string" && value !== "",
  );
}
