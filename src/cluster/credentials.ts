/** How the API server is reached and what is shown to it: in a pod by its service account, else by a kubeconfig. */
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";

export interface Access {
  readonly server: URL;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly servername?: string;
    /** False: the kubeconfig says that the server's certificate is not to be checked. */
    readonly rejectUnauthorized?: boolean;
  };
  readonly headers: Readonly<Record<string, string>>;
}

export interface Credentials {
  /** As they are now. Rejects with a sentence for the operator. */
  current(): Promise<Access>;
  /** The server took them for invalid: read anew before the next call. */
  refused(): void;
}

export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The kubelet replaces a token when four fifths of its life are over, at least ten minutes before its end. */
const REREAD_MS = 30_000;

/** Of a pod: the kubelet keeps token and authority in files and renews them there. */
export class ServiceAccount implements Credentials {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #folder: string;
  readonly #now: () => number;
  #access: Access | undefined;
  #readAt = 0;

  constructor(
    env: Readonly<Record<string, string | undefined>>,
    folder = SERVICE_ACCOUNT,
    now = () => performance.now(),
  ) {
    this.#env = env;
    this.#folder = folder;
    this.#now = now;
  }

  async current(): Promise<Access> {
    if (this.#access === undefined || this.#now() - this.#readAt > REREAD_MS) this.#read();
    return this.#access as Access;
  }

  refused(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  #read(): void {
    const file = (name: string) => readFileSync(`${this.#folder}/${name}`, "utf8").trim();
    try {
      const [token, ca] = [file("token"), file("ca.crt")];
      this.#access = { server: this.#server(), tls: { ca }, headers: { authorization: `Bearer ${token}` } };
      this.#readAt = this.#now();
    } catch (error) {
      // A token that was good a moment ago may still be: the server is the judge.
      if (this.#access !== undefined) return;
      throw new Error(
        `the pod's service account cannot be read: ${(error as Error).message}; ` +
          "let the pod have it (automountServiceAccountToken), or give kubernetes.kubeconfig",
        { cause: error },
      );
    }
  }

  #server(): URL {
    const host = this.#env["KUBERNETES_SERVICE_HOST"] ?? "";
    const port = this.#env["KUBERNETES_SERVICE_PORT"] ?? "443";
    return new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`);
  }
}
