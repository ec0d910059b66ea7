/** `overland ipam configure` and `overland ipam show --show-configuration`: the cluster's IPAMConfiguration. */
import type { Store } from "../../ipam/store.ts";
import { faultText } from "../config/fault.ts";
import { API_VERSION } from "../config/kinds.ts";
import type { SourcedResource } from "../config/manifest.ts";
import type { IPAMConfigurationResource } from "../config/resource.ts";
import { applyResources, getResources } from "../config/resource-store.ts";
import { checkDocument } from "../config/schema/document.ts";
import { IPAM_CONFIGURATION, type IPAMConfigurationSpec } from "../config/schema/ipamconfiguration.ts";
import { pathText } from "../config/schema/problem.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { table } from "./table.ts";
import { print } from "./terminal.ts";

type Field = keyof IPAMConfigurationSpec;
const FIELDS: readonly Field[] = ["strictAffinity", "maxBlocksPerHost", "ipCooldownSeconds"];
const FLAGS: Readonly<Record<Field, string>> = {
  strictAffinity: "--strictaffinity",
  maxBlocksPerHost: "--max-blocks-per-host",
  ipCooldownSeconds: "--ip-cooldown-seconds",
};

export async function ipamConfigure(options: OptionValues): Promise<void> {
  const wanted = wantedOf(options);
  if (Object.keys(wanted).length === 0) {
    throw new Failure(`say what to change: ${Object.values(FLAGS).join(", ")}`, 2);
  }
  const { before, after } = await withStore(options, (store) => change(store, wanted));
  const changes = FIELDS.filter((field) => before[field] !== after[field]);
  if (options["output"] === "json") {
    const changed = Object.fromEntries(changes.map((field) => [field, { from: before[field], to: after[field] }]));
    return print(`${JSON.stringify({ configuration: after, changed }, null, 2)}\n`);
  }
  for (const field of changes) print(`${field}: ${before[field]} -> ${after[field]}`);
  if (changes.length === 0) print("Nothing changed: it is so already.");
}

export async function showConfiguration(options: OptionValues): Promise<void> {
  const { spec } = await withStore(options, configurationIn);
  if (options["output"] === "json") return print(`${JSON.stringify(spec, null, 2)}\n`);
  const columns = [
    { title: "PROPERTY", cell: (field: Field) => field },
    { title: "VALUE", cell: (field: Field) => String(spec[field]) },
  ];
  print(table(columns, FIELDS));
}

function wantedOf(options: OptionValues): Partial<Record<Field, boolean | number>> {
  const { strictaffinity, maxBlocksPerHost, ipCooldownSeconds } = options as Record<string, string | undefined>;
  return {
    ...(strictaffinity !== undefined && { strictAffinity: strictaffinity === "true" }),
    ...(maxBlocksPerHost !== undefined && { maxBlocksPerHost: wholeNumber("maxBlocksPerHost", maxBlocksPerHost) }),
    ...(ipCooldownSeconds !== undefined && { ipCooldownSeconds: wholeNumber("ipCooldownSeconds", ipCooldownSeconds) }),
  };
}

function wholeNumber(field: Field, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Failure(`${FLAGS[field]}: ${JSON.stringify(text)} is not a whole number`, 2);
  return Number(text);
}

async function change(store: Store, wanted: Partial<Record<Field, boolean | number>>) {
  const before = await configurationIn(store);
  const checked = checkDocument({ ...before, spec: { ...before.spec, ...wanted } });
  if ("problems" in checked) {
    const lines = checked.problems.map(
      ({ path, message }) => `${FLAGS[path.at(-1) as Field] ?? pathText(path)}: ${message}`,
    );
    throw new Failure(lines.join("\n"), 2);
  }
  const resource = checked.resource as IPAMConfigurationResource;
  const file = `IPAMConfiguration ${IPAM_CONFIGURATION}`;
  const item: SourcedResource = {
    resource,
    file,
    line: 0,
    fault: (path, message) => ({ file, line: 0, field: pathText(path), message }),
  };
  const applied = await applyResources(store, [item]);
  if ("faults" in applied) throw new Failure(applied.faults.map(faultText).join("\n"));
  return { before: before.spec, after: resource.spec };
}

/** What is in force: where there is no resource, the defaults. */
async function configurationIn(store: Store): Promise<IPAMConfigurationResource> {
  const { resources, damaged } = await getResources(store, "IPAMConfiguration", [IPAM_CONFIGURATION]);
  if (damaged.length > 0) throw new Failure(`${damaged.join("\n")}; write it anew with overland apply`);
  const metadata = { name: IPAM_CONFIGURATION };
  const usual = checkDocument({ apiVersion: API_VERSION, kind: "IPAMConfiguration", metadata });
  if ("problems" in usual) throw new Error("the defaults are no IPAMConfiguration");
  return (resources[0] ?? usual.resource) as IPAMConfigurationResource;
}
