/** Who holds which bearer token. Kept in a file, so that a server that is started again knows them. */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";

export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
}

interface Token extends Identity {
  readonly token: string;
  /** Milliseconds since 1970; absent: never. */
  readonly expires?: number;
}

export const ADMIN: Identity = { name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };
export const ANONYMOUS: Identity = { name: "system:anonymous", groups: ["system:unauthenticated"] };

export class Identities {
  readonly #file: string;
  readonly #tokens = new Map<string, Token>();

  constructor(file: string) {
    this.#file = file;
    for (const token of read(file)) this.#tokens.set(token.token, token);
  }

  /** Undefined: nobody's, or no longer anybody's. */
  of(token: string): Identity | undefined {
    const found = this.#tokens.get(token);
    return found === undefined || (found.expires ?? Number.POSITIVE_INFINITY) <= Date.now() ? undefined : found;
  }

  tokenOf(name: string): string | undefined {
    return [...this.#tokens.values()].find((token) => token.name === name)?.token;
  }

  /** A new token, or the one that is given. */
  add(identity: Identity, token: string = randomBytes(24).toString("base64url"), expires?: number): string {
    const { name, groups, uid } = identity;
    const kept = { name, groups, ...(uid !== undefined && { uid }), token };
    this.#tokens.set(token, expires === undefined ? kept : { ...kept, expires });
    this.#write();
    return token;
  }

  /** In the form of those that TokenRequest gives: programs read the claims. */
  addServiceAccount(namespace: string, name: string, seconds: number, audiences: readonly string[] = []): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url");
    const claims = {
      aud: audiences.length > 0 ? audiences : ["https://kubernetes.default.svc.cluster.local"],
      exp: now + seconds,
      iat: now,
      nbf: now,
      iss: "https://kubernetes.default.svc.cluster.local",
      jti: randomUUID(),
      sub: `system:serviceaccount:${namespace}:${name}`,
      "kubernetes.io": { namespace, serviceaccount: { name } },
    };
    const signed = `${part({ alg: "HS256", kid: "overland-e2e" })}.${part(claims)}`;
    const token = `${signed}.${createHmac("sha256", randomBytes(32)).update(signed).digest("base64url")}`;
    return this.add(serviceAccount(namespace, name), token, (now + seconds) * 1000);
  }

  revoke(token: string): boolean {
    const known = this.#tokens.delete(token);
    this.#write();
    return known;
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#tokens.values()]), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

export const serviceAccount = (namespace: string, name: string): Identity => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});

function read(file: string): Token[] {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Token[];
  } catch {
    return [];
  }
}
