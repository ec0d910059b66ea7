/**
 * Which addresses of a service this node announces, and why.
 *
 * A range shorter than one address is announced as a whole by every node (range.ts); a single address besides where it
 * makes a difference which node gets the packets, or where no range is announced.
 */
import { type Address, bitsOf, type Family, familyOf, parseAddress } from "../../ipam/net/address.ts";
import { containsAddress, formatPrefix, hostPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { RANGE_FIELDS, type ServiceAddressKind, type ServiceSettings } from "../config/services.ts";
import { ADVERTISE_ANNOTATION, type Service } from "./service.ts";
import type { Endpoints } from "./slice.ts";

/** The class of load balancer that Overland is; Calico's is taken for the same. */
export const OWN_CLASSES: readonly string[] = ["overland.dev/bgp", "calico"];
export const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** What holds for all services on this node. */
export interface Terms {
  readonly settings: ServiceSettings;
  /** The node has {@link EXCLUDE_LABEL}. */
  readonly excluded: boolean;
}

export interface Verdict {
  readonly kind: ServiceAddressKind;
  readonly address: string;
  /** Announced alone, as this prefix; undefined: not alone. */
  readonly prefix?: Prefix;
  /** The range around it that is announced as a whole. */
  readonly within?: Prefix;
  readonly why: string;
}

const EXCLUDED = `this node has the label ${EXCLUDE_LABEL}`;

export function judge(service: Service, endpoints: Endpoints, terms: Terms, advertise: boolean): Verdict[] {
  return service.addresses.map(({ kind, address: text }) => {
    const no = (why: string, within?: Prefix) => ({
      kind,
      address: text,
      why,
      ...(within !== undefined && { within }),
    });
    const address = parseAddress(text);
    if (address === undefined) return no("is not an IP address");
    const range = rangeAround(terms.settings, kind, address);
    if (range === undefined) return no(outside(terms.settings, kind));
    if (terms.excluded) return no(EXCLUDED);
    const within = isAnnouncedWhole(terms.settings, kind, range) ? range : undefined;
    if (!advertise) return no(`${ADVERTISE_ANNOTATION} is "false"`, within);
    if (kind === "loadBalancer" && !isOurs(service)) {
      return no(`its loadBalancerClass is ${service.loadBalancerClass}, another load balancer's`, within);
    }
    const { yes, why } = alone(service, kind, familyOf(address), within === undefined, range, endpoints);
    return yes ? { ...no(why, within), prefix: hostPrefix(address) } : no(why, within);
  });
}

/** Of the class that is nobody's in particular, or of ours. */
function isOurs({ loadBalancerClass }: Service): boolean {
  return loadBalancerClass === undefined || OWN_CLASSES.includes(loadBalancerClass);
}

function alone(
  service: Service,
  kind: ServiceAddressKind,
  family: Family,
  noRange: boolean,
  range: Prefix,
  endpoints: Endpoints,
): { yes: boolean; why: string } {
  const policy = localPolicy(service, kind);
  if (policy !== undefined) {
    const here = endpoints.here(family);
    return here === undefined
      ? { yes: false, why: `${policy} is Local and it has no IPv${family} endpoint on this node that is ready` }
      : { yes: true, why: `${policy} is Local and ${here}` };
  }
  if (!noRange) return { yes: false, why: `every node takes its packets, and ${formatPrefix(range)} covers it` };
  // A range of one address is told by whoever wrote it, endpoints or not, as any other range is.
  if (isSingle(range)) return { yes: true, why: `${formatPrefix(range)} is in ${RANGE_FIELDS[kind]}` };
  const anywhere = endpoints.anywhere(family);
  return anywhere === undefined
    ? { yes: false, why: `it has no ready IPv${family} endpoint on any node` }
    : { yes: true, why: `serviceLoadBalancerAggregation is Disabled and ${anywhere}` };
}

/** The policy that lets only nodes with endpoints take packets to addresses of the kind. */
function localPolicy({ externalLocal, internalLocal }: Service, kind: ServiceAddressKind): string | undefined {
  if (kind === "cluster" && internalLocal) return "internalTrafficPolicy";
  return externalLocal ? "externalTrafficPolicy" : undefined;
}

function rangeAround({ ranges }: ServiceSettings, kind: ServiceAddressKind, address: Address): Prefix | undefined {
  const around = ranges[kind].filter((range) => containsAddress(range, address));
  return around.reduce<Prefix | undefined>((best, range) => {
    return best === undefined || range.length > best.length ? range : best;
  }, undefined);
}

function outside({ ranges }: ServiceSettings, kind: ServiceAddressKind): string {
  const field = RANGE_FIELDS[kind];
  return ranges[kind].length === 0 ? `BGPConfiguration has no ${field}` : `is in no range of ${field}`;
}

function isAnnouncedWhole({ loadBalancerAggregation }: ServiceSettings, kind: ServiceAddressKind, range: Prefix) {
  return !isSingle(range) && (kind !== "loadBalancer" || loadBalancerAggregation);
}

/** Ranges that every node announces, whatever services there are. */
export function wholeRanges({ settings, excluded }: Terms): Prefix[] {
  if (excluded) return [];
  return (Object.keys(settings.ranges) as ServiceAddressKind[]).flatMap((kind) => {
    return settings.ranges[kind].filter((range) => isAnnouncedWhole(settings, kind, range));
  });
}

/** One address. */
export function isSingle({ address, length }: Prefix): boolean {
  return length === bitsOf(familyOf(address));
}
