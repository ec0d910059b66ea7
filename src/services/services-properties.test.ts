/**
 * Whatever happens in whatever order, what was told as changes is what would be told of how things are now. Annotations
 * that cannot be read are left out here: they leave in force what was before them.
 */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { keepService } from "./service.ts";
import {
  type EndpointState,
  NodeForTests,
  type ServiceWritten,
  service,
  slice,
  type Written,
} from "./services-for-tests.ts";
import { keepSlice, type SliceObject } from "./slice.ts";

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const address4 = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "rubbish");
const address = fc.oneof(address4, fc.constantFrom("fd00::1", "fd00::2", "2001:db8::1"));
const range = fc.constantFrom("10.0.0.0/24", "10.0.0.0/16", "10.0.0.1/32", "fd00::/64", "fd00::1/128", "192.0.2.1/32");
const ranges = fc.array(range, { maxLength: 2 });
const names = fc.constantFrom("a", "b", "c");
const state = fc.constantFrom<EndpointState>("ready", "nil", "starting", "leaving", "gone");

const written: fc.Arbitrary<ServiceWritten> = fc.record(
  {
    cluster: fc.array(fc.oneof(address, fc.constant("None")), { maxLength: 2 }),
    external: fc.array(address, { maxLength: 2 }),
    loadBalancer: fc.array(address, { maxLength: 2 }),
    local: fc.boolean(),
    internalLocal: fc.boolean(),
    type: fc.constantFrom("ClusterIP", "LoadBalancer", "ExternalName"),
    class: fc.constantFrom("overland.dev/bgp", "other"),
    annotations: fc.record(
      {
        "overland.dev/advertise": fc.constantFrom("true", "false"),
        "overland.dev/communities": fc.constantFrom("gold", "65000:1", "1:2:3 gold"),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const sliceWritten: fc.Arbitrary<SliceObject> = fc
  .tuple(
    names,
    fc.array(fc.tuple(fc.constantFrom("m", "n"), state), { maxLength: 3 }),
    fc.constantFrom("IPv4", "IPv6", "FQDN"),
  )
  .map(([of, endpoints, type]) => slice(of, endpoints, type as "IPv4"));
const terms = fc.record({
  cluster: ranges,
  external: ranges,
  loadBalancer: ranges,
  aggregation: fc.boolean(),
  communities: fc.constantFrom({ gold: "65000:1" }, { gold: "65000:2" }),
  excluded: fc.boolean(),
});

type Terms = Written & { readonly excluded: boolean };
type Event =
  | { readonly kind: "service"; readonly name: string; readonly written: ServiceWritten | undefined }
  | { readonly kind: "slice"; readonly name: string; readonly written: SliceObject | undefined }
  | { readonly kind: "terms"; readonly written: Terms }
  | { readonly kind: "services again" | "slices again" | "take" };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant("service" as const), name: names, written: maybe(written) }),
  fc.record({
    kind: fc.constant("slice" as const),
    name: fc.constantFrom("s1", "s2", "s3"),
    written: maybe(sliceWritten),
  }),
  fc.record({ kind: fc.constant("terms" as const), written: terms }),
  fc.record({ kind: fc.constantFrom("services again" as const, "slices again" as const, "take" as const) }),
);

it("changes come to the same as everything at once", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const node = new NodeForTests({});
      const services = new Map<string, ServiceWritten>();
      const slices = new Map<string, SliceObject>();
      let last: Terms = { excluded: false };
      const keptServices = () =>
        new Map([...services].map(([k, v]) => [`shop/${k}`, keepService(service(v))] as const));
      const keptSlices = () => new Map([...slices].map(([k, v]) => [`shop/${k}`, keepSlice(v, "m")] as const));
      for (const one of events) {
        if (one.kind === "service") {
          if (one.written === undefined) services.delete(one.name);
          else services.set(one.name, one.written);
          node.service(one.name, one.written);
        } else if (one.kind === "slice") {
          if (one.written === undefined) slices.delete(one.name);
          else slices.set(one.name, one.written);
          node.slice(one.name, one.written);
        } else if (one.kind === "terms") {
          last = one.written;
          node.configure(last, last.excluded);
        } else if (one.kind === "services again") node.services.setServices(keptServices());
        else if (one.kind === "slices again") node.services.setSlices(keptSlices());
        else void node.told;
      }
      const fresh = new NodeForTests(last, last.excluded);
      fresh.services.setSlices(keptSlices());
      fresh.services.setServices(keptServices());
      expect(node.told).toEqual(fresh.told);
      expect(node.services.take()).toEqual({ announced: [], withdrawn: [] });
      expect(node.services.announced().length).toBe(node.announced.size);
    }),
    { numRuns: 1000 },
  );
});
