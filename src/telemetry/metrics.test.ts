import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { manyPrefixes, peerAt, Wire } from "../speaker/record-testing.ts";
import { recordedApi } from "../speaker/recorded-api.ts";
import { expositionText } from "./exposition.ts";
import { processMetrics } from "./process-metrics.ts";

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly labels: Record<string, string>; readonly value: number }[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;

/** The text format, read strictly: HELP, TYPE, then the samples of one metric; nothing twice. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  let current = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    if (help !== null) {
      const type = /^# TYPE (\S+) (gauge|counter)$/.exec(lines[++i] ?? "");
      expect(type?.[1]).toBe(help[1]);
      current = help[1] as string;
      expect(current).toMatch(NAME);
      expect(families.has(current)).toBe(false);
      families.set(current, { type: type?.[2] as string, help: help[2] as string, samples: [] });
      continue;
    }
    const sample = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a sample: ${line}`);
    expect(sample[1]).toBe(current);
    const labels = labelsOf(sample[2] ?? "");
    const key = `${current} ${JSON.stringify(Object.entries(labels).sort())}`;
    expect(seen.has(key)).toBe(false);
    seen.add(key);
    const value = Number(sample[3]);
    expect(value).not.toBeNaN();
    families.get(current)?.samples.push({ labels, value });
  }
  return families;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`not labels: ${text}`);
    labels[match[1] as string] = (match[2] as string).replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
  }
  return labels;
}

async function scrape(): Promise<Map<string, Family>> {
  const wire = new Wire(9);
  const speaker = wire.add("10.0.0.1");
  wire.add("10.0.0.2");
  wire.tell("10.0.0.1", { kind: "networks", prefixes: manyPrefixes(1, 5000) });
  wire.tell("10.0.0.2", { kind: "networks", prefixes: manyPrefixes(7) });
  const maxPrefixes = { limit: 100, action: "warn", restartAfter: 60 } as const;
  wire.tell("10.0.0.1", {
    kind: "peers",
    peers: [peerAt(1, 2, { maxPrefixes }), peerAt(1, 3, { name: 'odd "name"\\' })],
  });
  wire.tell("10.0.0.2", { kind: "peers", peers: [peerAt(2, 1, { passive: true })] });
  wire.run(5000);
  // One attribute that is broken: ORIGIN of value 9 (RFC 7606 7.1).
  const attributes = [0x40, 1, 1, 9, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 10, 0, 0, 2];
  const body = [0, 0, 0, attributes.length, ...attributes, 24, 99, 9, 9];
  const header = [...new Array<number>(16).fill(255), 0, 19 + body.length, 2];
  const connection = speaker.neighbors[0]?.peer.session?.connection ?? 0;
  wire.tell("10.0.0.1", { kind: "received", connection, octets: Uint8Array.from([...header, ...body]) });
  wire.tell("10.0.0.1", { kind: "closed", connection: 999, reason: "none" });
  wire.run(100);
  const api = recordedApi({
    speaker,
    now: () => wire.now,
    wall: (time) => time,
    tell: () => undefined,
    ends: () => undefined,
    version: "1",
    kernel: { installed: 7, refused: 1, isInstalled: () => true },
    otherMetrics: processMetrics(),
  });
  const reply = await api.metrics["GET /metrics"]?.(new Uint8Array(0), { params: {}, query: new URLSearchParams() });
  expect(reply).toMatchObject({ status: 200, type: "text/plain; version=0.0.4; charset=utf-8" });
  return parse(reply?.body as string);
}

describe("metrics of a speaker", () => {
  it("say what the sessions and the tables are", async () => {
    const found = await scrape();
    const value = (name: string, labels: Record<string, string> = {}) =>
      found.get(name)?.samples.find((sample) => Object.entries(labels).every(([k, v]) => sample.labels[k] === v))
        ?.value;
    const r2 = { peer: "r2" };
    const v4 = { peer: "r2", family: "ipv4-unicast" };
    expect(value("overland_bgp_peer_up", r2)).toBe(1);
    expect(value("overland_bgp_peer_state", r2)).toBe(6);
    expect(value("overland_bgp_peer_up", { peer: 'odd "name"\\' })).toBe(0);
    expect(value("overland_bgp_peer_info", { peer: "r2", asn: "65002", local_asn: "65001", type: "external" })).toBe(1);
    expect(value("overland_bgp_peer_established_total", r2)).toBe(1);
    expect(found.get("overland_bgp_peer_last_error")?.samples.map(({ labels }) => labels)).toEqual([
      { peer: 'odd "name"\\', error: "no answer from 10.0.0.3 port 179 within 5 s" },
    ]);
    expect(value("overland_bgp_peer_messages_total", { ...r2, direction: "received", type: "open" })).toBe(1);
    expect(value("overland_bgp_peer_messages_total", { ...r2, direction: "sent", type: "update" })).toBeGreaterThan(2);
    expect(value("overland_bgp_peer_update_errors_total", { ...r2, attribute: "ORIGIN", action: "withdraw" })).toBe(1);
    expect(value("overland_bgp_peer_routes_received", v4)).toBe(7);
    expect(value("overland_bgp_peer_routes_accepted", v4)).toBe(7);
    expect(value("overland_bgp_peer_routes_best", v4)).toBe(7);
    expect(value("overland_bgp_peer_routes_advertised", v4)).toBe(1);
    expect(value("overland_bgp_peer_prefix_limit", { ...v4, action: "warn" })).toBe(100);
    expect(value("overland_bgp_peer_end_of_rib", v4)).toBe(1);
    expect(value("overland_bgp_rib_prefixes", { family: "ipv4-unicast" })).toBe(8);
    expect(value("overland_bgp_rib_paths", { family: "ipv4-unicast" })).toBe(8);
    expect(value("overland_forwarding_routes")).toBe(7);
    expect(value("overland_forwarding_refused")).toBe(1);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e7);
  });

  it("are those of the reference, with their types and labels", async () => {
    const found = await scrape();
    const text = readFileSync(new URL("../../docs/reference/metrics.md", import.meta.url), "utf8");
    // What only the agent has is its own: see agent-metrics.test.ts.
    const ofSpeaker = text.replace(/## The node[\s\S]*?(?=\n## )/, "");
    const rows = [...ofSpeaker.matchAll(/^\| `(\w+)` \| (gauge|counter) \| ([^|]*)\|/gm)];
    const documented = new Map(
      rows.map(([, name, type, labels]) => [
        name as string,
        { type, labels: [...(labels as string).matchAll(/`(\w+)`/g)].map((l) => l[1]) },
      ]),
    );
    expect([...documented.keys()].filter((name) => !found.has(name))).toEqual([]);
    for (const [name, { type, samples }] of found) {
      expect([name, documented.get(name)?.type]).toEqual([name, type]);
      const labels = [...new Set(samples.flatMap((sample) => Object.keys(sample.labels)))];
      expect([name, ...labels]).toEqual([name, ...(documented.get(name)?.labels ?? ["not documented"])]);
    }
  });
});

describe("the text format", () => {
  it("escapes what would end a label or a line", () => {
    const text = expositionText([
      {
        name: "a_total",
        type: "counter",
        help: "two\nlines \\",
        samples: [{ labels: { x: 'q"\\\n' }, value: 2 ** 53 }],
      },
      { name: "none", type: "gauge", help: "nothing", samples: [] },
      {
        name: "b",
        type: "gauge",
        help: "limits",
        samples: [{ value: Number.POSITIVE_INFINITY }, { labels: { l: 1 }, value: -0.5 }],
      },
    ]);
    expect(text).toBe(
      "# HELP a_total two\\nlines \\\\\n# TYPE a_total counter\n" +
        'a_total{x="q\\"\\\\\\n"} 9007199254740992\n' +
        '# HELP b limits\n# TYPE b gauge\nb +Inf\nb{l="1"} -0.5\n',
    );
  });
});
