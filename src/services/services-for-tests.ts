/** Services and slices as the API server has them, and a node that follows them. */
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { ServiceSettings } from "../config/services.ts";
import { keepService, type ServiceObject } from "./service.ts";
import { Services } from "./services.ts";
import { keepSlice, type SliceObject } from "./slice.ts";

export interface Written {
  readonly cluster?: readonly string[];
  readonly external?: readonly string[];
  readonly loadBalancer?: readonly string[];
  readonly aggregation?: boolean;
  readonly communities?: Readonly<Record<string, string>>;
}

export function settings(written: Written): ServiceSettings {
  const { cluster = [], external = [], loadBalancer = [], aggregation = true, communities = {} } = written;
  return {
    ranges: {
      cluster: cluster.map(prefixOf),
      external: external.map(prefixOf),
      loadBalancer: loadBalancer.map(prefixOf),
    },
    loadBalancerAggregation: aggregation,
    communities: new Map(Object.entries(communities)),
  };
}

export interface ServiceWritten {
  readonly cluster?: readonly string[];
  readonly external?: readonly string[];
  readonly loadBalancer?: readonly string[];
  readonly local?: boolean;
  readonly internalLocal?: boolean;
  readonly type?: string;
  readonly class?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function service(written: ServiceWritten): ServiceObject {
  const { cluster = ["10.96.0.1"], external = [], loadBalancer = [], annotations = {} } = written;
  return {
    metadata: { annotations },
    spec: {
      type: written.type ?? "LoadBalancer",
      clusterIP: cluster[0] ?? "",
      clusterIPs: cluster,
      externalIPs: external,
      externalTrafficPolicy: written.local === true ? "Local" : "Cluster",
      internalTrafficPolicy: written.internalLocal === true ? "Local" : "Cluster",
      ...(written.class !== undefined && { loadBalancerClass: written.class }),
    },
    status: { loadBalancer: { ingress: loadBalancer.map((ip) => ({ ip })) } },
  };
}

export type EndpointState = "ready" | "nil" | "starting" | "leaving" | "gone";

const CONDITIONS = {
  ready: { ready: true, serving: true, terminating: false },
  nil: {},
  starting: { ready: false, serving: false, terminating: false },
  leaving: { ready: false, serving: true, terminating: true },
  gone: { ready: false, serving: false, terminating: true },
} as const;

/** Endpoints as `[node, state]`. */
export function slice(
  of: string,
  endpoints: readonly (readonly [string, EndpointState])[],
  addressType: "IPv4" | "IPv6" | "FQDN" = "IPv4",
): SliceObject {
  return {
    metadata: { namespace: "shop", labels: { "kubernetes.io/service-name": of } },
    addressType,
    endpoints: endpoints.map(([nodeName, state]) => ({ nodeName, conditions: CONDITIONS[state] })),
  };
}

/** The node `m`, told by names within the namespace `shop`; what it announces by prefix. */
export class NodeForTests {
  readonly services = new Services();
  readonly announced = new Map<string, string>();

  constructor(written: Written, excluded = false) {
    this.configure(written, excluded);
  }

  configure(written: Written, excluded = false): void {
    this.services.configure({ settings: settings(written), excluded });
  }

  service(name: string, written: ServiceWritten | undefined): void {
    this.services.setService(`shop/${name}`, written && keepService(service(written)));
  }

  slice(name: string, written: SliceObject | undefined): void {
    this.services.setSlice(`shop/${name}`, written && keepSlice(written, "m"));
  }

  /** Prefixes in order, with their communities behind a blank. */
  get told(): string[] {
    const { announced, withdrawn } = this.services.take();
    for (const prefix of withdrawn) this.announced.delete(formatPrefix(prefix));
    for (const prefix of announced) this.announced.set(formatPrefix(prefix), prefix.communities.join(" "));
    return [...this.announced].map(([prefix, communities]) => `${prefix} ${communities}`.trim()).sort();
  }
}
