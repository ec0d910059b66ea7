/**
 * The node's own pods and all namespaces, as the API server has them: labels, addresses, and what an ADD needs to know.
 *
 * What was seen once is believed while the API server is away. A pod that was not seen yet is asked for: kubelet hears
 * of its pods no later than we do.
 */
import {
  type Cluster,
  ClusterError,
  type KubeObject,
  NAMESPACES,
  type ObjectMeta,
  type ObjectRef,
  PODS,
  type Watch,
} from "../cluster/port.ts";
import { CniCode, CniFault } from "../cni/fault.ts";
import type { Identity } from "../cni/identity.ts";
import { isWish, type KubernetesPod } from "../cni/pod-wishes.ts";
import type { Log } from "../telemetry/log.ts";

/** A pod of this node. */
export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only those that ask something of the network. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly phase: string;
  /** As kubelet reports them. */
  readonly addresses: readonly string[];
  /** It has the node's addresses, and none of its own. */
  readonly hostNetwork: boolean;
  /** Owned by a DaemonSet, or by the node itself (a static pod): nobody evicts it. */
  readonly stays: boolean;
}

/** What needs the pods of this node. */
export interface OwnPods {
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, OwnPod>;
  /** Everything was told, and changes arrive. */
  readonly synced: boolean;
}

interface PodObject extends KubeObject {
  readonly metadata: ObjectMeta & { readonly ownerReferences?: readonly { readonly kind: string }[] };
  readonly spec?: { readonly hostNetwork?: boolean };
  readonly status?: { readonly phase?: string; readonly podIPs?: readonly { readonly ip: string }[] };
}

interface Namespace {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface KubernetesPodsOptions {
  readonly cluster: Cluster;
  readonly nodeName: string;
  readonly log: Log;
  /** How long an ADD waits for the API server, in milliseconds. */
  readonly patienceMs?: number;
  /** A pod or a namespace came, went or is another one. */
  readonly changed?: () => void;
}

/** Well under kubelet's two minutes, and it asks again. */
const PATIENCE_MS = 4_000;

export class KubernetesPods implements OwnPods {
  readonly #options: KubernetesPodsOptions;
  readonly #pods = new Map<string, OwnPod>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #problems = new Map<string, string>();
  readonly #seen = Promise.withResolvers<void>();
  readonly #read = new Set<string>();
  readonly #watches: readonly Watch[];

  constructor(options: KubernetesPodsOptions) {
    this.#options = options;
    const { cluster, nodeName } = options;
    this.#watches = [
      cluster.watch<PodObject, OwnPod>(
        { type: PODS, fieldSelector: `spec.nodeName=${nodeName}` },
        readPod,
        this.#into("this node's pods", this.#pods, () => this.#seen.resolve()),
      ),
      cluster.watch<KubeObject, Namespace>(
        { type: NAMESPACES },
        readNamespace,
        this.#into("namespaces", this.#namespaces),
      ),
    ];
  }

  /** Resolves when the pods were read for the first time. */
  get firstLook(): Promise<void> {
    return this.#seen.promise;
  }

  get pods(): ReadonlyMap<string, OwnPod> {
    return this.#pods;
  }

  get synced(): boolean {
    return this.#watches[0]?.synced === true;
  }

  /** Pods and namespaces were read once, in this run: what is not among them is not there. */
  get isRead(): boolean {
    return this.#read.size === this.#watches.length;
  }

  /** The pod of that name, unless it is another one; any with an empty uid. */
  ownPod(namespace: string, name: string, uid: string): OwnPod | undefined {
    const pod = this.#pods.get(`${namespace}/${name}`);
    return pod !== undefined && isSame(pod, uid) ? pod : undefined;
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> {
    return this.#namespaces.get(namespace)?.labels ?? {};
  }

  get problems(): readonly string[] {
    return [...this.#problems].map(([what, problem]) => `${what} cannot be followed: ${problem}`);
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop();
  }

  /** For an ADD. Undefined: Kubernetes has no such pod. Throws a CniFault that says what is needed. */
  async podFor({ namespace, pod: name, uid }: Pick<Identity, "namespace" | "pod" | "uid">) {
    const pod = await this.#pod(namespace, name, uid);
    if (pod === undefined) return undefined;
    const found = await this.#namespace(namespace, name);
    return { annotations: pod.annotations, namespace: found } satisfies KubernetesPod;
  }

  /** The pod of that name, as far as it is known, is gone or another one. */
  isGone(namespace: string, name: string, uid: string | undefined): boolean {
    if (!this.synced || namespace === "" || name === "") return false;
    const pod = this.#pods.get(`${namespace}/${name}`);
    return pod === undefined || (uid !== undefined && !isSame(pod, uid));
  }

  async #pod(namespace: string, name: string, uid: string): Promise<OwnPod | undefined> {
    const known = this.#pods.get(`${namespace}/${name}`);
    if (known !== undefined && isSame(known, uid)) return known;
    try {
      const ref = { type: PODS, namespace, name };
      const found = await this.#get<PodObject>(ref);
      const pod = found && readPod(found);
      if (pod === undefined || isSame(pod, uid)) return pod;
      if (isOfFile(uid)) return undefined;
      const text = `pod ${namespace}/${name} is deleted: there is another one of its name`;
      throw new CniFault(CniCode.TryAgainLater, text, `asked for: uid ${uid}; there: uid ${pod.uid}`);
    } catch (error) {
      // A static pod runs without an API server, and what its mirror there would say is what its file says.
      if (error instanceof ClusterError && isOfFile(uid)) return known;
      throw asFault(error, `annotations of pod ${namespace}/${name}`);
    }
  }

  async #namespace(namespace: string, pod: string): Promise<Namespace> {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    try {
      const found = await this.#get({ type: NAMESPACES, name: namespace });
      return found === undefined ? { labels: {}, annotations: {} } : readNamespace(found);
    } catch (error) {
      throw asFault(error, `labels of namespace ${namespace} of pod ${pod}`);
    }
  }

  async #get<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined> {
    const { cluster, patienceMs = PATIENCE_MS } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ClusterError(`no answer within ${patienceMs} ms`, 0)), patienceMs);
    });
    try {
      return await Promise.race([cluster.get<T>(ref), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #into<Kept>(what: string, into: Map<string, Kept>, seen?: () => void) {
    return {
      snapshot: (objects: ReadonlyMap<string, Kept>) => {
        into.clear();
        for (const [key, object] of objects) into.set(key, object);
        seen?.();
        this.#read.add(what);
        this.#options.changed?.();
      },
      change: (key: string, object: Kept | undefined) => {
        if (object === undefined) into.delete(key);
        else into.set(key, object);
        this.#options.changed?.();
      },
      health: (problem: string | undefined) => {
        if (problem === undefined) this.#problems.delete(what);
        else {
          if (!this.#problems.has(what)) this.#options.log.warn(`${what} cannot be followed for now`, { problem });
          this.#problems.set(what, problem);
        }
      },
    };
  }
}

function readPod({ metadata, spec, status }: PodObject): OwnPod {
  const { namespace = "", name, uid = "", labels = {}, annotations = {}, ownerReferences = [] } = metadata;
  return {
    ...{ namespace, name, uid, labels },
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => isWish(key))),
    phase: status?.phase ?? "",
    addresses: (status?.podIPs ?? []).map(({ ip }) => ip),
    hostNetwork: spec?.hostNetwork === true,
    stays: ownerReferences.some(({ kind }) => kind === "DaemonSet" || kind === "Node"),
  };
}

function readNamespace({ metadata: { labels = {}, annotations = {} } }: KubeObject): Namespace {
  return { labels, annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => isWish(key))) };
}

/** Where a static pod's mirror keeps the uid that kubelet gives to the runtime: a hash of the file. */
const FILE_HASHES = ["kubernetes.io/config.mirror", "kubernetes.io/config.hash"];

function isSame({ uid, annotations }: OwnPod, asked: string): boolean {
  return asked === "" || uid === asked || FILE_HASHES.some((key) => annotations[key] === asked);
}

/** The API server's own have dashes. */
const isOfFile = (uid: string): boolean => /^[0-9a-f]{32}$/.test(uid);

function asFault(error: unknown, what: string): CniFault {
  if (error instanceof CniFault) return error;
  const { message, status } = error as ClusterError;
  const why = status === 403 || status === 401 ? "the API server refuses" : "the API server does not answer";
  return new CniFault(CniCode.TryAgainLater, `${why}, so the ${what} are not known: ${message}`, "kubelet asks again");
}
