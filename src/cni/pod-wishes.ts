/**
 * What a pod and its namespace ask for in annotations, Overland's own or Calico's. The pod's beat the namespace's, and
 * those the network configuration's; of one place, Overland's beat Calico's.
 */
import { type Address, type Family, familyOf } from "../../ipam/net/address.ts";
import type { Labels } from "../../ipam/selector.ts";
import { readMac } from "./asked-for.ts";
import { onePerFamily, readAddress } from "./config-values.ts";
import { CniCode, CniFault } from "./fault.ts";
import type { CniRequest } from "./request.ts";

/** The part of a Kubernetes pod that an ADD is about. */
export interface KubernetesPod {
  readonly annotations: Labels;
  readonly namespace: { readonly annotations: Labels; readonly labels: Labels };
}

/** Each as {@link OWN} has it, and as Calico has it. */
const ADDRESSES = ["overland.dev/addresses", "cni.projectcalico.org/ipAddrs"] as const;
const MAC = ["overland.dev/mac-address", "cni.projectcalico.org/hwAddr"] as const;
const FAMILIES = ["overland.dev/ip-families", "cni.projectcalico.org/ipFamilies"] as const;
const POOLS = {
  4: ["overland.dev/ipv4-pools", "cni.projectcalico.org/ipv4pools"],
  6: ["overland.dev/ipv6-pools", "cni.projectcalico.org/ipv6pools"],
} as const;

/** Annotations that Calico has and Overland does not: a pod that counts on one must not start without it. */
const NOT_HERE = ["cni.projectcalico.org/ipAddrsNoIpam", "cni.projectcalico.org/floatingIPs"] as const;

/** What of a pod's and a namespace's annotations is worth remembering. */
export function isWish(annotation: string): boolean {
  return /^(overland\.dev|cni\.projectcalico\.org|kubernetes\.io\/config\.)/.test(annotation);
}

/** The interface that Kubernetes knows; another one is a further network's, and the annotations are not about it. */
const KUBERNETES_INTERFACE = "eth0";

/** The request with what the pod asks for in place of what the configuration says. Throws CniFault. */
export function asThePodWishes(request: CniRequest, pod: KubernetesPod): CniRequest {
  const namespaceLabels = pod.namespace.labels;
  if (request.ifName !== KUBERNETES_INTERFACE) return { ...request, namespaceLabels };
  const { config } = request;
  const places = [
    { name: "the pod", annotations: pod.annotations },
    { name: "its namespace", annotations: pod.namespace.annotations },
  ];
  const own = places.slice(0, 1);
  refuseUnknown(pod.annotations);
  const addresses = find(own, ADDRESSES, (field, text) => {
    const texts = listIn(field, text, '["10.244.0.7", "fd00:244::7"]');
    return onePerFamily(
      field,
      texts.map((one) => readAddress(field, one)),
    );
  });
  const mac = find(own, MAC, (field, text) => readMac(field, text.trim()));
  const pools = { 4: poolsIn(places, 4) ?? config.pools[4], 6: poolsIn(places, 6) ?? config.pools[6] };
  const families = find(places, FAMILIES, familiesIn);
  if (families !== undefined) refuseContradiction(families, addresses ?? []);
  return {
    ...request,
    namespaceLabels,
    config: {
      ...config,
      // As in Calico, who asks for addresses gets those and no others.
      families: families ?? (addresses === undefined ? config.families : familiesOf(addresses)),
      pools,
      askedFor: { addresses: addresses ?? config.askedFor.addresses, mac: mac ?? config.askedFor.mac },
    },
  };
}

type Places = readonly { readonly name: string; readonly annotations: Labels }[];

/** The first place that says anything wins. */
function find<T>(places: Places, names: readonly string[], read: (field: string, text: string) => T): T | undefined {
  for (const { name, annotations } of places) {
    for (const annotation of names) {
      const text = annotations[annotation];
      if (text === undefined || text.trim() === "") continue;
      return asAnnotation(() => read(`annotation ${annotation} of ${name}`, text));
    }
  }
  return undefined;
}

/** Of one family: what the annotations say of the other one leaves this one's configuration as it is. */
function poolsIn(places: Places, family: Family): readonly string[] | undefined {
  const example = family === 4 ? '["default-ipv4"] or ["10.244.0.0/16"]' : '["default-ipv6"] or ["fd00:244::/48"]';
  return find(places, POOLS[family], (field, text) => listIn(field, text, example));
}

/** A list as JSON, as Calico's are, or texts with commas between. */
function listIn(field: string, text: string, example: string): readonly string[] {
  const cure = `write it as ${example}`;
  if (!text.trim().startsWith("[")) {
    const parts = text.split(",").map((part) => part.trim());
    if (parts.some((part) => part === "" || /["'[\]{}\s]/.test(part))) {
      throw wrong(`${field} ${JSON.stringify(text)} is no list`, cure);
    }
    return parts;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(`${field} ${JSON.stringify(text)} is not JSON`, cure);
  }
  const texts = value as readonly unknown[];
  if (texts.length > 0 && texts.every((one) => typeof one === "string" && one !== "")) return texts as string[];
  throw wrong(`${field} ${JSON.stringify(text)} is no list of texts`, cure);
}

function familiesIn(field: string, text: string): readonly Family[] {
  const example = '["IPv4"], ["IPv6"] or ["IPv4", "IPv6"]';
  const families = listIn(field, text, example).map((one): Family => {
    const found = /^ipv([46])$/i.exec(one)?.[1];
    if (found === undefined) throw wrong(`${field}: ${JSON.stringify(one)} is no family`, `write it as ${example}`);
    return found === "4" ? 4 : 6;
  });
  return [...new Set(families)];
}

const familiesOf = (addresses: readonly Address[]): readonly Family[] => addresses.map(familyOf);

function refuseContradiction(families: readonly Family[], addresses: readonly Address[]): void {
  const odd = addresses.find((address) => !families.includes(familyOf(address)));
  if (odd === undefined) return;
  const family = `IPv${familyOf(odd)}`;
  const text = `the pod's annotations ask for an ${family} address and for families without ${family}`;
  throw wrong(text, `${ADDRESSES.join(" or ")}, and ${FAMILIES.join(" or ")}`);
}

function refuseUnknown(annotations: Labels): void {
  const found = NOT_HERE.find((name) => (annotations[name] ?? "").trim() !== "");
  if (found === undefined) return;
  const cure = "remove it; for addresses out of a pool there is overland.dev/addresses";
  throw wrong(`annotation ${found} of the pod asks for something that Overland does not have`, cure);
}

function wrong(text: string, details: string): CniFault {
  return new CniFault(CniCode.InvalidConfig, text, details);
}

/** What is wrong with a value is the same as in a configuration; only where it stands is another place. */
function asAnnotation<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CniFault) throw wrong(error.message, error.details);
    throw error;
  }
}
