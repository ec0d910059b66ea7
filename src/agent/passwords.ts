/**
 * Passwords of peers: keys of Secrets in the agent's own namespace. Each Secret is watched by its name, once, however
 * many peers use it. Values go to the sockets and nowhere else.
 */
import { type Cluster, type KubeObject, SECRETS, type Watch } from "../cluster/port.ts";
import type { PeerIntent, SecretKey } from "../config/peer-intent.ts";
import type { Log } from "../telemetry/log.ts";
import { type KeptSecrets, readKept, writeKept } from "./kept-passwords.ts";

/** RFC 2385 leaves it open; Linux takes so many octets. */
const MOST_OCTETS = 80;
const NAMED_SESSIONS = 3;

export type Password =
  | { readonly value: string }
  /** Why there is none, in words, and what to do. */
  | { readonly missing: string };

export interface PasswordsOptions {
  /** Undefined: this agent has no Kubernetes. */
  readonly cluster: Cluster | undefined;
  /** Where values are kept over a restart. */
  readonly file: string;
  readonly log: Pick<Log, "warn" | "info">;
  /** A password that somebody asks for is another one, has come or has gone. */
  readonly changed: () => void;
}

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Of a Secret: base64 by key. */
type Data = Readonly<Record<string, string>>;

interface Followed {
  watch: Watch | undefined;
  read: boolean;
  /** Undefined: there is no such Secret. */
  data: Data | undefined;
  problem: string | undefined;
}

export class Passwords {
  readonly #options: PasswordsOptions;
  readonly #followed = new Map<string, Followed>();
  #kept: KeptSecrets;
  #peers: readonly PeerIntent[] = [];
  #said = "";

  constructor(options: PasswordsOptions) {
    this.#options = options;
    this.#kept = readKept(options.file);
  }

  /** Sessions that stay down for want of a password, and Secrets that cannot be followed now. */
  get problems(): readonly string[] {
    const asking = Map.groupBy(
      this.#peers.filter(({ password }) => password !== undefined),
      ({ password }) => JSON.stringify(password),
    );
    const missing = [...asking.values()].flatMap((peers) => {
      const password = this.of(peers[0]?.password as SecretKey);
      return "missing" in password ? [`${sessions(peers)}: ${password.missing}`] : [];
    });
    const lost = [...this.#followed].flatMap(([name, { read, problem }]) =>
      (read || this.#kept[this.#named(name)] !== undefined) && problem !== undefined
        ? [`Secret ${this.#named(name)}: ${problem}; going on with what was last read`]
        : [],
    );
    return [...missing, ...lost];
  }

  /** From now on the Secrets of these peers are followed, and no others. */
  follow(peers: readonly PeerIntent[]): void {
    this.#peers = peers;
    const names = new Set(peers.flatMap(({ password }) => password?.name ?? []));
    for (const [name, { watch }] of this.#followed) {
      if (names.has(name)) continue;
      this.#followed.delete(name);
      watch?.stop();
    }
    const { cluster } = this.#options;
    if (cluster !== undefined) {
      for (const name of names) if (!this.#followed.has(name)) this.#follow(cluster, name);
    }
    // Another key of a Secret that was read already: nothing more will be told of it. Not before all are read: what is
    // kept is all there is then.
    const followed = [...this.#followed.values()];
    if (followed.length > 0 && followed.every(({ read }) => read)) this.#keep();
    this.#say();
  }

  of({ name, key }: SecretKey): Password {
    const { cluster } = this.#options;
    const secret = this.#named(name);
    if (cluster === undefined) {
      return { missing: `Secret ${secret} cannot be read: this agent has no access to Kubernetes; give it some` };
    }
    const followed = this.#followed.get(name);
    const kept = followed?.read === true ? undefined : this.#kept[secret]?.[key];
    if (kept !== undefined) return decoded(kept, `key ${key} of Secret ${secret}`);
    if (followed?.read !== true) {
      const why = followed?.problem === undefined ? "" : `: ${followed.problem}`;
      return { missing: `Secret ${secret} is not read yet${why}` };
    }
    if (followed.data === undefined) return { missing: `there is no Secret ${secret}; create it` };
    const encoded = followed.data[key];
    if (encoded === undefined) return { missing: `Secret ${secret} has no key ${key}; add it` };
    return decoded(encoded, `key ${key} of Secret ${secret}`);
  }

  stop(): void {
    for (const { watch } of this.#followed.values()) watch?.stop();
    this.#followed.clear();
  }

  #follow(cluster: Cluster, name: string): void {
    const { namespace } = cluster;
    const followed: Followed = { watch: undefined, read: false, data: undefined, problem: undefined };
    this.#followed.set(name, followed);
    const told = (change: () => void) => {
      if (this.#followed.get(name) !== followed) return;
      const before = JSON.stringify([followed.read, followed.data]);
      change();
      this.#keep();
      this.#say();
      if (JSON.stringify([followed.read, followed.data]) !== before) this.#options.changed();
    };
    followed.watch = cluster.watch<Secret, Data>(
      { type: SECRETS, namespace, fieldSelector: `metadata.name=${name}` },
      ({ data = {} }) => data,
      {
        snapshot: (secrets) =>
          told(() => {
            followed.read = true;
            followed.data = secrets.get(`${namespace}/${name}`);
          }),
        change: (_, data) =>
          told(() => {
            followed.data = data;
          }),
        health: (problem) =>
          told(() => {
            followed.problem = problem;
          }),
      },
    );
  }

  /** What peers ask for and the API server has said; and what it has not spoken of yet. */
  #keep(): void {
    const secrets: Record<string, Record<string, string>> = {};
    for (const { password } of this.#peers) {
      if (password === undefined) continue;
      const { name, key } = password;
      const secret = this.#named(name);
      const followed = this.#followed.get(name);
      const value = followed?.read === true ? followed.data?.[key] : this.#kept[secret]?.[key];
      if (value !== undefined) secrets[secret] = { ...secrets[secret], [key]: value };
    }
    if (JSON.stringify(secrets) === JSON.stringify(this.#kept)) return;
    this.#kept = secrets;
    try {
      writeKept(this.#options.file, secrets);
    } catch (error) {
      this.#options.log.warn("passwords cannot be kept over a restart", { error });
    }
  }

  #named(name: string): string {
    const { cluster } = this.#options;
    return cluster === undefined ? name : `${cluster.namespace}/${name}`;
  }

  /** Not while an answer is on its way: at the start nothing is read yet, and that is no news. */
  #say(): void {
    const { problems } = this;
    if ([...this.#followed.values()].some(({ read, problem }) => !read && problem === undefined)) return;
    const text = problems.join("\n");
    if (text === this.#said) return;
    this.#said = text;
    for (const problem of problems) this.#options.log.warn(problem);
    if (problems.length === 0) this.#options.log.info("the passwords of all peers are known again");
  }
}

/** A value that no other router can be given alike is refused in words: a key that never fits is a riddle. */
function decoded(encoded: string, what: string): Password {
  const octets = Buffer.from(encoded, "base64");
  if (octets.length === 0) return { missing: `${what} is empty; give it a value` };
  if (octets.length > MOST_OCTETS) {
    return { missing: `${what} has ${octets.length} octets, and a TCP MD5 password has at most ${MOST_OCTETS}` };
  }
  const value = octets.toString("utf8");
  if (!Buffer.from(value, "utf8").equals(octets)) return { missing: `${what} is not UTF-8 text; give it another` };
  if (/[\r\n]$/.test(value)) return { missing: `${what} ends with a line break; store it without (printf, not echo)` };
  if (value.includes("\0")) return { missing: `${what} holds a zero octet; give it another` };
  return { value };
}

function sessions(peers: readonly PeerIntent[]): string {
  const names = peers.slice(0, NAMED_SESSIONS).map(({ name }) => name);
  const more = peers.length - names.length;
  const list = more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
  return peers.length === 1 ? `the session ${list} stays down` : `the sessions ${list} stay down`;
}
