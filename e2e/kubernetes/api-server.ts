/**
 * A Kubernetes API server to test against: `node e2e/kubernetes/api-server.ts --dir DIR [--port N] [--address A]…`.
 * Writes ca.crt, the admin's kubeconfig and control.sock into DIR, and one line to standard output once it answers.
 * README.md says what it does as the real one does, and what it leaves out.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { parseArgs } from "node:util";
import { BulkLoad } from "./bulk-load.ts";
import { Catalog } from "./catalog.ts";
import { certificates, kubeconfig } from "./certificates.ts";
import { listenForControl } from "./control.ts";
import { Controllers } from "./controllers.ts";
import { Faults } from "./faults.ts";
import { ADMIN, Identities } from "./identities.ts";
import { followFile, keepIn } from "./journal.ts";
import { Listener } from "./listener.ts";
import { RequestCounts } from "./request-counts.ts";
import { Server } from "./server.ts";
import { ServiceRanges } from "./service-rules.ts";
import { Store } from "./store.ts";
import { Writes } from "./writes.ts";

const { values } = parseArgs({
  options: {
    dir: { type: "string" },
    port: { type: "string", default: "0" },
    /** Where it listens; the first one is in the kubeconfig. */
    address: { type: "string", multiple: true, default: ["127.0.0.1"] },
    /** The state is kept in DIR and read at the next start. Who watches then meets 410, as with the real server. */
    keep: { type: "boolean", default: false },
    "keep-history": { type: "boolean", default: false },
    /** Objects to begin with, one JSON document a line. */
    load: { type: "string", multiple: true, default: [] },
    /** Ranges of cluster addresses, comma separated; the first one's family is the default. */
    "service-cidr": { type: "string", default: "10.96.0.0/16,fd00:10:96::/112" },
    /** Pods are gone at the end of their grace, as if their kubelets said so. */
    "reap-pods": { type: "boolean", default: false },
    /** Changes of each kind that are remembered. */
    history: { type: "string", default: "10000" },
    "bookmark-seconds": { type: "string", default: "60" },
    /** How long open watches are served after SIGTERM. */
    "shutdown-seconds": { type: "string", default: "60" },
    /** Ends at once when its standard input does: with whoever started it, however that one ended. */
    "until-stdin-ends": { type: "boolean", default: false },
  },
});

const NAMESPACES = ["default", "kube-node-lease", "kube-public", "kube-system"];

const { dir, address, load } = values;
if (dir === undefined) {
  process.stderr.write("api-server: --dir DIR is needed: where certificates, kubeconfig and control.sock go\n");
  process.exit(2);
}
mkdirSync(dir, { recursive: true });
const authority = certificates(dir, address);

const store = new Store(Number(values.history));
const catalog = new Catalog();
if (values.keep) keepIn(`${dir}/journal.jsonl`, store, values["keep-history"]);
const ranges = new ServiceRanges(store, values["service-cidr"].split(","));
const writes = new Writes(store, catalog, ranges);
const identities = new Identities(`${dir}/tokens.json`);
const faults = new Faults();
const counts = new RequestCounts();
const bookmarkMs = Number(values["bookmark-seconds"]) * 1000;
const parts = { store, catalog, writes, identities, faults, counts, bookmarkMs };
const server = new Server(parts);
new Controllers(store, catalog, values["reap-pods"], (collection) => server.endWatches(collection)).start();

const bulk = new BulkLoad(store, catalog, ranges);
if (store.count("/namespaces") === 0) {
  for (const name of NAMESPACES) bulk.put({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
}
for (const file of load) await bulk.file(file);

const listener = new Listener(authority, address, Number(values.port), faults, (request, response) => {
  void server.handle(request, response);
});
await listener.listen();
const control = await listenForControl(`${dir}/control.sock`, { directory: dir, parts, server, listener, load: bulk });

const [first = "127.0.0.1"] = address;
const url = `https://${isIPv6(first) ? `[${first}]` : first}:${listener.port}`;
const token = identities.tokenOf(ADMIN.name) ?? identities.add(ADMIN);
writeFileSync(`${dir}/kubeconfig`, kubeconfig(url, authority.ca, ADMIN.name, token), { mode: 0o600 });
process.stdout.write(`${JSON.stringify({ url, port: listener.port, revision: store.revision })}\n`);

if (values["until-stdin-ends"]) process.stdin.on("end", () => process.exit(0)).resume();

/**
 * No new connections, but open watches are served on for a while, and told what a next server on the same port does. A
 * second signal ends it at once.
 */
let stopping = false;
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.on(name, () => {
    if (stopping) process.exit(0);
    stopping = true;
    server.retire();
    listener.refuse();
    control.close();
    if (values.keep) followFile(`${dir}/journal.jsonl`, store, 100);
    setTimeout(() => process.exit(0), Number(values["shutdown-seconds"]) * 1000);
    setInterval(() => {
      if (server.watches.size === 0) process.exit(0);
    }, 50);
  });
}
