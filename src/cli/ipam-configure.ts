/** `overland ipam configure` and `overland ipam show --show-configuration`: the cluster's IPAMConfiguration. */
import type { Entry, Store } from "../../ipam/store.ts";
import { type Fault, faultText } from "../config/fault.ts";
import { API_VERSION } from "../config/kinds.ts";
import type { SourcedResource } from "../config/manifest.ts";
import type { IPAMConfigurationResource } from "../config/resource.ts";
import { resourceKey } from "../config/resource-keys.ts";
import { applyResources, readEntries } from "../config/resource-store.ts";
import { checkDocument } from "../config/schema/document.ts";
import { IPAM_CONFIGURATION, type IPAMConfigurationSpec } from "../config/schema/ipamconfiguration.ts";
import { pathText } from "../config/schema/problem.ts";
import { Failure } from "./failure.ts";
import type { OptionValues } from "./options.ts";
import { withStore } from "./session.ts";
import { table } from "./table.ts";
import { print } from "./terminal.ts";

const ATTEMPTS = 10;

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
  const { before, after } = await withStore(options, (store) => changeConfiguration(store, wanted));
  const changes = FIELDS.filter((field) => before[field] !== after[field]);
  if (options["output"] === "json") {
    const changed = Object.fromEntries(changes.map((field) => [field, { from: before[field], to: after[field] }]));
    return print(`${JSON.stringify({ configuration: after, changed }, null, 2)}\n`);
  }
  for (const field of changes) print(`${field}: ${before[field]} -> ${after[field]}`);
  if (changes.length === 0) print("Nothing changed: it is so already.");
}

export async function showConfiguration(options: OptionValues): Promise<void> {
  const { spec } = (await withStore(options, recordIn)).resource;
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

/** Two people at the same moment: each changes what the other one made of it. */
export async function changeConfiguration(store: Store, wanted: Partial<Record<Field, boolean | number>>) {
  for (let attempt = 1; ; attempt++) {
    const { resource: before, madeOf } = await recordIn(store);
    const applied = await changeOne(store, before, madeOf, wanted);
    if (!("faults" in applied)) return { before: before.spec, after: applied.spec };
    const isOther = (await recordIn(store)).madeOf.modRevision !== madeOf.modRevision;
    if (!isOther || attempt === ATTEMPTS) throw new Failure(applied.faults.map(faultText).join("\n"));
  }
}

async function changeOne(
  store: Store,
  before: IPAMConfigurationResource,
  madeOf: Pick<Entry, "key" | "modRevision">,
  wanted: Partial<Record<Field, boolean | number>>,
): Promise<{ readonly spec: IPAMConfigurationSpec } | { readonly faults: readonly Fault[] }> {
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
  const applied = await applyResources(store, [item], "operator", [madeOf]);
  return "faults" in applied ? applied : { spec: resource.spec };
}

/** What is in force: where there is no resource, the defaults. */
async function recordIn(store: Store) {
  const key = resourceKey("IPAMConfiguration", IPAM_CONFIGURATION);
  const [entry] = await store.get([key]);
  const { resources, damaged } = readEntries(entry === undefined ? [] : [entry]);
  if (damaged.length > 0) throw new Failure(`${damaged.join("\n")}; write it anew with overland apply`);
  const metadata = { name: IPAM_CONFIGURATION };
  const usual = checkDocument({ apiVersion: API_VERSION, kind: "IPAMConfiguration", metadata });
  if ("problems" in usual) throw new Error("the defaults are no IPAMConfiguration");
  const resource = (resources[0] ?? usual.resource) as IPAMConfigurationResource;
  return { resource, madeOf: { key, modRevision: entry?.modRevision ?? 0n } };
}
