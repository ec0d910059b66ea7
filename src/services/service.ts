/** What is remembered of a Kubernetes Service: what its addresses are, and who takes packets to them. */
import type { ServiceAddressKind } from "../config/services.ts";

/** As the API server has it; whatever a client wrote may be in it, so nothing is taken for granted. */
export interface ServiceObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly externalTrafficPolicy?: string;
    readonly internalTrafficPolicy?: string;
    readonly loadBalancerClass?: string;
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly ipMode?: string }[] };
  };
}

export interface Service {
  readonly addresses: readonly { readonly kind: ServiceAddressKind; readonly address: string }[];
  /** Why none of its addresses can be announced, in words. */
  readonly nothing?: string;
  /** externalTrafficPolicy Local: only nodes with endpoints take packets to external and load-balancer addresses. */
  readonly externalLocal: boolean;
  /** internalTrafficPolicy Local: the same for cluster addresses. */
  readonly internalLocal: boolean;
  readonly loadBalancerClass?: string;
  /** The annotations as they are written. */
  readonly communities?: string;
  readonly advertise?: string;
}

export const COMMUNITIES_ANNOTATION = "overland.dev/communities";
export const ADVERTISE_ANNOTATION = "overland.dev/advertise";

const NOT_PROXIED = { addresses: [], externalLocal: false, internalLocal: false } as const;
const EXTERNAL_NAME: Service = { ...NOT_PROXIED, nothing: "a service of type ExternalName has no address" };
const HEADLESS: Service = { ...NOT_PROXIED, nothing: "a headless service has no address of its own" };

export function keepService({ metadata, spec = {}, status }: ServiceObject): Service {
  if (spec.type === "ExternalName") return EXTERNAL_NAME;
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  if (clusterIPs.every((address) => address === "None" || address === "")) return HEADLESS;
  // KEP-1860: with ipMode Proxy the nodes do not take packets to the address; who proxies for it does.
  const ingress = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== "Proxy");
  const lists: [ServiceAddressKind, readonly (string | undefined)[]][] = [
    ["cluster", clusterIPs],
    ["external", spec.externalIPs ?? []],
    ["loadBalancer", spec.type === "LoadBalancer" ? ingress.map(({ ip }) => ip) : []],
  ];
  const communities = metadata.annotations?.[COMMUNITIES_ANNOTATION];
  const advertise = metadata.annotations?.[ADVERTISE_ANNOTATION];
  return {
    addresses: lists.flatMap(([kind, list]) => {
      return list.flatMap((address) => (address === undefined || address === "" ? [] : [{ kind, address }]));
    }),
    externalLocal: spec.externalTrafficPolicy === "Local",
    internalLocal: spec.internalTrafficPolicy === "Local",
    ...(spec.loadBalancerClass !== undefined && { loadBalancerClass: spec.loadBalancerClass }),
    ...(communities !== undefined && { communities }),
    ...(advertise !== undefined && { advertise }),
  };
}
