/** What a service of type LoadBalancer wants of the addresses in pools for it. */
import { type Address, type Family, familyOf, parseAddress } from "../../ipam/net/address.ts";
import { OWN_CLASSES } from "./judge.ts";

export interface LoadBalancerObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: {
    readonly type?: string;
    readonly loadBalancerClass?: string;
    readonly loadBalancerIP?: string;
    readonly ipFamilies?: readonly string[];
    readonly ipFamilyPolicy?: string;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

export interface AddressWish {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a class of ours; false: of none, and somebody else may look after it too. */
  readonly ours: boolean;
  readonly families: readonly Family[];
  /** Every family or none. */
  readonly allFamilies: boolean;
  /** Exactly these; empty: any. */
  readonly addresses: readonly Address[];
  /** By name or CIDR, for the families they are of; empty: any. */
  readonly pools: readonly string[];
  /** Addresses it has now, as text. */
  readonly current: readonly string[];
  /** Why it cannot be met as it is written, in words. */
  readonly problem?: string;
}

const PREFIXES = ["overland.dev/", "projectcalico.org/"] as const;

/** Undefined: it is none of ours. */
export function addressWish({ metadata, spec = {}, status }: LoadBalancerObject): AddressWish | undefined {
  const { name, namespace = "", uid, annotations = {}, deletionTimestamp } = metadata;
  const ours = spec.loadBalancerClass !== undefined && OWN_CLASSES.includes(spec.loadBalancerClass);
  if (spec.type !== "LoadBalancer" || uid === undefined || deletionTimestamp !== undefined) return undefined;
  if (spec.loadBalancerClass !== undefined && !ours) return undefined;
  const asked = listOf(annotations, "loadBalancerIPs");
  const texts = asked.values ?? (spec.loadBalancerIP ? [spec.loadBalancerIP] : []);
  const addresses = texts.map(parseAddress);
  const pools = [listOf(annotations, "ipv4pools"), listOf(annotations, "ipv6pools")];
  const faulty = texts.filter((_, i) => addresses[i] === undefined).map((text) => `"${text}" is not an IP address`);
  const known = addresses.filter((address) => address !== undefined);
  const families = known.map(familyOf);
  if (new Set(families).size < families.length) faulty.push("only one address of a family can be given to a service");
  const problem = [asked.problem, ...pools.map((list) => list.problem), ...faulty].find((text) => text !== undefined);
  return {
    uid,
    namespace,
    name,
    ours,
    families: known.length > 0 ? [] : familiesOf(spec.ipFamilies),
    allFamilies: spec.ipFamilyPolicy === "RequireDualStack",
    addresses: known,
    pools: pools.flatMap(({ values = [] }) => values),
    current: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
    ...(problem !== undefined && { problem }),
  };
}

function familiesOf(families: readonly string[] = ["IPv4"]): Family[] {
  return families.flatMap((family): Family[] => (family === "IPv4" ? [4] : family === "IPv6" ? [6] : []));
}

interface List {
  readonly values?: readonly string[];
  readonly problem?: string;
}

/** A JSON list, as Calico has it, or texts with commas between. Ours before Calico's. */
function listOf(annotations: Readonly<Record<string, string>>, name: string): List {
  const key = PREFIXES.map((prefix) => prefix + name).find((known) => annotations[known] !== undefined);
  const text = key === undefined ? "" : (annotations[key] as string).trim();
  if (text === "") return {};
  if (!text.startsWith("[")) return { values: text.split(/[\s,]+/).filter((one) => one !== "") };
  try {
    const values: unknown = JSON.parse(text);
    if (Array.isArray(values) && values.every((value) => typeof value === "string")) return { values };
  } catch {
    // Said below.
  }
  return { problem: `annotation ${key}: ${text} is not a list such as ["198.18.0.9"]` };
}
