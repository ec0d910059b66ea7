/**
 * What is remembered of an EndpointSlice: whose it is, and where it has endpoints that take packets. A cluster has tens
 * of thousands of slices and every node sees all of them, so it is one text and one number.
 */
import type { Family } from "../../ipam/net/address.ts";

export interface SliceObject {
  readonly metadata: { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly addressType?: string;
  readonly endpoints?:
    | readonly {
        readonly nodeName?: string | null;
        readonly conditions?: {
          readonly ready?: boolean | null;
          readonly serving?: boolean | null;
          readonly terminating?: boolean | null;
        };
      }[]
    | null;
}

export interface Slice {
  /** `namespace/name` of the service; "" where it is nobody's. */
  readonly service: string;
  readonly endpoints: number;
}

const READY = 1;
const LEAVING = 2;
const READY_HERE = 4;
const LEAVING_HERE = 8;
/** The same four bits again for IPv6. */
const IPV6_SHIFT = 4;

const NOBODYS: Slice = { service: "", endpoints: 0 };

export function keepSlice({ metadata, addressType, endpoints }: SliceObject, nodeName: string): Slice {
  const service = metadata.labels?.["kubernetes.io/service-name"];
  if (service === undefined || (addressType !== "IPv4" && addressType !== "IPv6")) return NOBODYS;
  let bits = 0;
  for (const { nodeName: on, conditions = {} } of endpoints ?? []) {
    const ready = conditions.ready ?? true;
    // KEP-1669: kube-proxy goes on with endpoints that terminate and still serve when none is ready.
    const leaving = !ready && conditions.terminating === true && conditions.serving === true;
    if (ready) bits |= on === nodeName ? READY | READY_HERE : READY;
    else if (leaving) bits |= on === nodeName ? LEAVING | LEAVING_HERE : LEAVING;
  }
  return {
    service: `${metadata.namespace ?? ""}/${service}`,
    endpoints: addressType === "IPv6" ? bits << IPV6_SHIFT : bits,
  };
}

/** All slices of a service taken together. */
export class Endpoints {
  readonly #bits: number;

  constructor(bits: number) {
    this.#bits = bits;
  }

  /** In words where there is one that takes packets: ready, or leaving and none is ready; undefined: nowhere. */
  anywhere(family: Family): string | undefined {
    return this.#words(family, READY, LEAVING, "");
  }

  here(family: Family): string | undefined {
    return this.#words(family, READY_HERE, LEAVING_HERE, " on this node");
  }

  #words(family: Family, ready: number, leaving: number, where: string): string | undefined {
    const bits = family === 6 ? this.#bits >> IPV6_SHIFT : this.#bits;
    if ((bits & ready) !== 0) return `it has a ready IPv${family} endpoint${where}`;
    return (bits & leaving) !== 0 ? `all its IPv${family} endpoints${where} terminate but still serve` : undefined;
  }
}
