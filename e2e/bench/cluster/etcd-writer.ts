/**
 * A program of its own, for inside a lab's namespace: writes to etcd without a process for each write. `node
 * etcd-writer.ts ENDPOINT` takes a line of JSON for each transaction, [[key, value], …], and answers each with a line.
 */
import { createInterface } from "node:readline";

const [endpoint = ""] = process.argv.slice(2);
const base64 = (text: string) => Buffer.from(text).toString("base64");

for await (const line of createInterface({ input: process.stdin })) {
  const success = (JSON.parse(line) as [string, string][]).map(([key, value]) => ({
    requestPut: { key: base64(key), value: base64(value) },
  }));
  const answer = await fetch(`${endpoint}/v3/kv/txn`, { method: "POST", body: JSON.stringify({ success }) });
  const said = await answer.text();
  process.stdout.write(`${answer.ok ? "done" : said.trim()}\n`);
}
