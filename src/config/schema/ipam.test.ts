import { describe, expect, it } from "@jest/globals";
import { checkDocument } from "./document.ts";
import { pathText } from "./problem.ts";

function checked(kind: string, spec: object | undefined, name = "default"): unknown {
  const document = { apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec };
  const result = checkDocument(document);
  if ("resource" in result) return result.resource.spec;
  return result.problems.map(({ path, message }) => `${pathText(path)}: ${message}`);
}

describe("IPAMConfiguration", () => {
  const usual = { strictAffinity: false, maxBlocksPerHost: 0, ipCooldownSeconds: 30 };

  it.each([
    [undefined, usual],
    [{}, usual],
    [
      { strictAffinity: true, maxBlocksPerHost: 4 },
      { ...usual, strictAffinity: true, maxBlocksPerHost: 4 },
    ],
    // Refused by Calico: with us, whoever has all its blocks may borrow.
    [{ maxBlocksPerHost: 20 }, { ...usual, maxBlocksPerHost: 20 }],
    [
      { ipCooldownSeconds: 0, autoAllocateBlocks: true },
      { ...usual, ipCooldownSeconds: 0, autoAllocateBlocks: true },
    ],
  ])("%j", (spec, read) => expect(checked("IPAMConfiguration", spec)).toEqual(read));

  it.each([
    [{ strictAffinity: "yes" }, 'spec.strictAffinity: expected true or false, found "yes"'],
    [{ maxBlocksPerHost: -1 }, "spec.maxBlocksPerHost: -1 is not a whole number from 0 to 1000000"],
    [{ ipCooldownSeconds: 1201 }, "spec.ipCooldownSeconds: 1201 is not a whole number from 0 to 1200"],
    [
      { autoAllocateBlocks: false },
      "spec.autoAllocateBlocks: not supported by Overland yet (nodes claim their blocks themselves); " +
        "remove it or set it to true",
    ],
    [
      { kubeVirtVMAddressPersistence: "Enabled" },
      "spec.kubeVirtVMAddressPersistence: not supported by Overland yet (needs KubeVirt); " +
        'remove it or set it to "Disabled"',
    ],
  ])("refuses %j", (spec, problem) => expect(checked("IPAMConfiguration", spec)).toEqual([problem]));

  it("is called default", () => {
    expect(checked("IPAMConfiguration", {}, "mine")).toEqual([
      'metadata.name: "mine" is not default; there is one IPAMConfiguration, and it has this name',
    ]);
    expect(checked("IPAMConfig", {})).toEqual([
      "kind: IPAMConfig: this is how Calico stores it; write the document as an IPAMConfiguration",
    ]);
  });
});

describe("IPReservation", () => {
  it("takes CIDRs and addresses of both families", () => {
    const reservedCIDRs = ["192.168.2.3", "10.0.2.0/24", "cafe:f00d::/123", "cafe::1"];
    expect(checked("IPReservation", { reservedCIDRs }, "a")).toEqual({ reservedCIDRs });
    expect(checked("IPReservation", {}, "a")).toEqual({ reservedCIDRs: [] });
  });

  it.each([
    ["10.0.2.1/24", 'spec.reservedCIDRs[0]: "10.0.2.1/24" has host bits set; did you mean 10.0.2.0/24?'],
    ["10.0.2", 'spec.reservedCIDRs[0]: "10.0.2" is neither an address nor a CIDR such as 10.244.0.0/30'],
  ])("refuses %s", (text, problem) => {
    expect(checked("IPReservation", { reservedCIDRs: [text] }, "a")).toEqual([problem]);
  });
});

describe("an IPPool's uses", () => {
  const cidr = "10.0.0.0/16";

  it.each([
    { allowedUses: ["Workload", "Tunnel"] },
    { allowedUses: ["Tunnel"] },
    { allowedUses: ["LoadBalancer"], nodeSelector: "all()" },
    { namespaceSelector: "team == 'blue'" },
    { namespaceSelector: "all()", allowedUses: ["Workload"] },
  ])("%j", (spec) => expect(checked("IPPool", { cidr, ...spec })).toMatchObject(spec));

  it.each([
    [{ allowedUses: [] }, "spec.allowedUses: is empty; remove it, or name Workload"],
    [{ allowedUses: ["Workload", "Workload"] }, "spec.allowedUses: names a use twice; remove one"],
    [
      { allowedUses: ["workload"] },
      'spec.allowedUses[0]: "workload" is not one of Workload, Tunnel, LoadBalancer; did you mean Workload?',
    ],
    [
      { allowedUses: ["LoadBalancer", "Workload"] },
      "spec.allowedUses: LoadBalancer must stand alone; make another pool for pods",
    ],
    [
      { allowedUses: ["LoadBalancer"], nodeSelector: "rack == 'a'" },
      "spec.nodeSelector: must be all() in a pool for LoadBalancer; its addresses belong to no node",
    ],
    [
      { allowedUses: ["LoadBalancer"], disableBGPExport: true },
      "spec.disableBGPExport: cannot be true in a pool for LoadBalancer; remove it",
    ],
    [
      { allowedUses: ["Tunnel", "Workload"], namespaceSelector: "a == 'b'" },
      "spec.allowedUses: Tunnel cannot go with a namespaceSelector; write [Workload]",
    ],
    [{ namespaceSelector: "global()" }, expect.stringMatching(/^spec\.namespaceSelector: "global\(\)"/)],
  ])("refuses %j", (spec, problem) => expect(checked("IPPool", { cidr, ...spec })).toEqual([problem]));
});
